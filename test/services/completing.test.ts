import { describe } from 'vitest';
import { describeCompleting } from '#test/behaviour/completing.ts';
import { serviceUrl } from './service-urls.ts';

describe.skipIf(serviceUrl('TEST_DATABASE_URL') === undefined)('real services', () => describeCompleting('services'));
