import type { Logger } from '#platform/logging.ts';

export interface BackgroundJob {
  /** Runs it once more at once, after a run that is under way; rejects as the run does. */
  runNow(): Promise<void>;
  /** No further run; resolves when the current one has ended. */
  stop(): Promise<void>;
}

/**
 * Runs `work` again and again, `intervalMs` after the end of the last run, never twice at the same time. A run that
 * fails is logged and the next one tries again: no background work ends the process.
 */
export function startJob(name: string, intervalMs: number, logger: Logger, work: () => Promise<void>): BackgroundJob {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let last: Promise<void> = Promise.resolve();
  let failures = 0;

  const run = (): Promise<void> => {
    const current = last.catch(() => {}).then(work);
    last = current;
    return current;
  };
  const schedule = () => {
    if (stopped) return;
    timer = setTimeout(() => {
      run()
        .then(
          () => {
            if (failures > 0) logger.info({ job: name, failures }, `${name} works again`);
            failures = 0;
          },
          (error: unknown) => {
            failures += 1;
            logger.error({ err: error, job: name, failures }, `${name} failed, trying again in ${intervalMs} ms`);
          },
        )
        .finally(schedule);
    }, intervalMs);
    timer.unref();
  };
  schedule();
  return {
    runNow: run,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await last.catch(() => {});
    },
  };
}
