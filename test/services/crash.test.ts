import { describe } from 'vitest';
import { describeCrash } from '#test/behaviour/crash.ts';
import { serviceUrl } from './service-urls.ts';

describe.skipIf(serviceUrl('TEST_DATABASE_URL') === undefined)('real services', () => describeCrash('services'));
