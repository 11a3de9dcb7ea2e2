/**
 * Loaded before a process's main.ts (`node --import`): later starts read compiled code from a cache in the system's
 * temp folder, which halves the start.
 */
import { enableCompileCache } from 'node:module';

enableCompileCache();
