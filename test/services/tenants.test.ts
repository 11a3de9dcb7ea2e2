import { describe } from 'vitest';
import { describeTenants } from '#test/behaviour/tenants.ts';
import { serviceUrl } from './service-urls.ts';

describe.skipIf(serviceUrl('TEST_DATABASE_URL') === undefined)('real services', () =>
  describeTenants('services', ['llm.graphql']),
);
