import type { RestGroup } from './route.ts';
import { llmRoutes } from './routes-llm.ts';
import { openAiRoutes } from './routes-openai.ts';

/** Every REST route there is. A new domain adds its group here, and nothing else. */
export const restTable: readonly RestGroup[] = [llmRoutes, openAiRoutes];
