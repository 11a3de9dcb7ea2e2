import { describe } from 'vitest';
import { describeBadInput } from '#test/behaviour/bad-input.ts';
import { serviceUrl } from './service-urls.ts';

describe.skipIf(serviceUrl('TEST_DATABASE_URL') === undefined)('real services', () => describeBadInput('services'));
