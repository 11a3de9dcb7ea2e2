import type { Reporter } from 'vitest/node';
import { serviceUrls } from './services/service-urls.ts';

/**
 * Ends a run with what it could not run, and the line `N passed, N failed`, on which `.ci/run` relies. A file that
 * cannot be loaded and an error outside of any test count as one failure each, so that they never look like success.
 */
export class CountReporter implements Reporter {
  onTestRunEnd: NonNullable<Reporter['onTestRunEnd']> = (modules, unhandledErrors) => {
    let passed = 0;
    let failed = unhandledErrors.length;
    let skipped = 0;
    for (const module of modules) {
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        else if (state === 'failed') failedHere += 1;
        else skipped += 1;
      }
      failed += failedHere === 0 && module.state() === 'failed' ? 1 : failedHere;
    }
    for (const [name, service] of Object.entries(serviceUrls)) {
      if (!process.env[name]) console.log(`Skipped: suites on a real ${service}, because ${name} is not set.`);
    }
    if (skipped > 0) console.log(`${skipped} tests skipped.`);
    // After the default reporter's own summary, which is printed when this hook has run.
    process.once('exit', () => process.stdout.write(`${passed} passed, ${failed} failed\n`));
  };
}
