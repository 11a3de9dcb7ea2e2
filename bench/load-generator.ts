/**
 * Loads one HTTP endpoint of this machine from a process of its own, so that its work is not on the measured event
 * loop: `node bench/load-generator.ts '<LoadPlan as JSON>'` prints a LoadResult as JSON. Each connection sends its
 * next request when the last answer is complete.
 */
import { connect, type Socket } from 'node:net';
import { ResponseReader } from './response-reader.ts';

export interface LoadPlan {
  /** Loopback addresses only. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly connections: number;
  /** Whichever comes first ends the load; requests under way are finished. */
  readonly durationMs: number;
  readonly requestsMax?: number;
}

export interface LoadResult {
  readonly requests: number;
  /** Answers with another status than 200, and broken connections. */
  readonly failures: number;
  readonly firstFailure: string | null;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly latencyMsP50: number;
  readonly latencyMsP99: number;
  /** Until the first piece of text of a stream; null without streams. */
  readonly firstTokenMsP50: number | null;
  readonly firstTokenMsP99: number | null;
  /** Deltas with text. */
  readonly tokensPerSecond: number;
}

/** Measurements kept; more requests than these still count, but do not enter the percentiles. */
const samplesMax = 2_000_000;

const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

export async function generateLoad(plan: LoadPlan): Promise<LoadResult> {
  const url = new URL(plan.url);
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)) throw new Error(`${url.host} is not this machine.`);
  const body = JSON.stringify(plan.body);
  const streams = (plan.body as { stream?: boolean }).stream === true;
  const request = Buffer.from(
    [
      `POST ${url.pathname} HTTP/1.1`,
      `host: ${url.host}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      ...Object.entries(plan.headers).map(([name, value]) => `${name}: ${value}`),
      '',
      body,
    ].join('\r\n'),
  );
  const latencies: number[] = [];
  const firstTokens: number[] = [];
  let requests = 0;
  let failures = 0;
  let tokens = 0;
  let firstFailure: string | null = null;
  const startedAt = performance.now();
  const over = (): boolean =>
    performance.now() - startedAt >= plan.durationMs || requests >= (plan.requestsMax ?? Number.POSITIVE_INFINITY);

  const runConnection = (): Promise<void> =>
    new Promise((resolve) => {
      let sentAt = 0;
      let firstTokenAt = 0;
      let tail = '';
      let seen = '';
      const fail = (reason: string): void => {
        failures += 1;
        firstFailure ??= reason.slice(0, 300);
      };
      const send = (): void => {
        if (over() || failures > 1000) {
          socket.end();
          return resolve();
        }
        requests += 1;
        firstTokenAt = 0;
        tail = '';
        seen = '';
        sentAt = performance.now();
        socket.write(request);
      };
      const reader = new ResponseReader({
        onBody: (piece) => {
          if (!streams) {
            if (seen.length < 300) seen += piece.toString('utf8', 0, 300);
            return;
          }
          const text = tail + piece.toString('latin1');
          const lastLineEnd = text.lastIndexOf('\n');
          tail = text.slice(lastLineEnd + 1);
          const found = countTextDeltas(text.slice(0, lastLineEnd + 1));
          if (found > 0 && firstTokenAt === 0) firstTokenAt = performance.now();
          if (found === 0 && seen.length < 300) seen += text;
          tokens += found;
        },
        onEnd: (status) => {
          if (latencies.length < samplesMax) latencies.push(performance.now() - sentAt);
          if (status !== 200) fail(`status ${status}: ${seen}`);
          else if (streams && firstTokenAt === 0) fail(`a stream without text: ${seen}`);
          else if (streams) firstTokens.push(firstTokenAt - sentAt);
          send();
        },
      });
      const socket: Socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
      socket.once('connect', send);
      socket.on('data', (bytes) => reader.read(bytes));
      socket.once('error', (error) => fail(error.message));
      socket.once('close', () => resolve());
    });

  await Promise.all(Array.from({ length: plan.connections }, runConnection));
  const seconds = (performance.now() - startedAt) / 1000;
  const sortedLatencies = Float64Array.from(latencies).toSorted();
  const sortedFirstTokens = Float64Array.from(firstTokens).toSorted();
  return {
    requests,
    failures,
    firstFailure,
    seconds,
    requestsPerSecond: latencies.length / seconds,
    latencyMsP50: percentile(sortedLatencies, 0.5),
    latencyMsP99: percentile(sortedLatencies, 0.99),
    firstTokenMsP50: streams ? percentile(sortedFirstTokens, 0.5) : null,
    firstTokenMsP99: streams ? percentile(sortedFirstTokens, 0.99) : null,
    tokensPerSecond: tokens / seconds,
  };
}

/** OpenAI's chunks whose delta has a non-empty `content`. */
function countTextDeltas(lines: string): number {
  let found = 0;
  for (let at = lines.indexOf('"content":"'); at !== -1; at = lines.indexOf('"content":"', at + 11)) {
    if (lines[at + 11] !== '"') found += 1;
  }
  return found;
}

if (import.meta.main) {
  console.log(JSON.stringify(await generateLoad(JSON.parse(process.argv[2] ?? '{}') as LoadPlan)));
}
