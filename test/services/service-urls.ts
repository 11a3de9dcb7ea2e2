/**
 * The real services that suites run on beside the embedded ones. A suite whose URL is missing is skipped, and the
 * reporter says so; with REQUIRE_SERVICES=1 (as CI sets) a missing URL fails the run instead.
 */
export const serviceUrls = {
  /** A superuser's URL: each suite creates a database of its own and drops it. */
  TEST_DATABASE_URL: 'PostgreSQL',
} as const;

export type ServiceUrl = keyof typeof serviceUrls;

/** The URL to test against, or undefined when the suite is to be skipped (`describe.skipIf`). */
export function serviceUrl(name: ServiceUrl): string | undefined {
  const url = process.env[name];
  if (url !== undefined && url !== '') return url;
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error(`REQUIRE_SERVICES=1, but ${name} is not set.`);
  return undefined;
}
