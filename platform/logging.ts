import { pino } from 'pino';

export type Logger = pino.Logger;

export interface LoggerOptions {
  /** The part that logs: `gateway`, `llm`, … */
  readonly name: string;
  readonly level: string;
}

/**
 * JSON lines on standard output. Written in chunks at least once a second, so that logging never waits for a slow
 * terminal or pipe; what is left is flushed when the process stops (lifecycle.ts).
 */
export function createLogger({ name, level }: LoggerOptions): Logger {
  const destination = pino.destination({ dest: 1, sync: false, minLength: 8_192, periodicFlush: 500 });
  return pino(
    {
      name,
      level,
      base: { part: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // A prompt, key or token has no business in a log; these are the places where one could slip in.
      redact: {
        paths: [
          'authorization',
          'headers.authorization',
          'err.headers',
          'err.config',
          'err.request',
          'err.body',
          'err.requestBodyValues',
        ],
        remove: true,
      },
    },
    destination,
  );
}
