import { describe } from 'vitest';
import { describeLoad } from '#test/behaviour/load.ts';
import { serviceUrl } from './service-urls.ts';

describe.skipIf(serviceUrl('TEST_DATABASE_URL') === undefined)('real services', () => describeLoad('services'));
