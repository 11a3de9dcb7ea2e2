import { ConfigError } from './config.ts';
import { DataFolderError } from './data-folder.ts';
import { AppError } from './errors.ts';

/**
 * Runs a process's main function. What the operator can mend (settings, a data folder in use, a database that cannot
 * be reached) is printed as one clear message without a stack; a defect with its stack. Either exits with 1.
 */
export async function runProcess(main: () => Promise<unknown>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const expected = error instanceof ConfigError || error instanceof AppError || error instanceof DataFolderError;
    process.stderr.write(`${expected ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  }
}
