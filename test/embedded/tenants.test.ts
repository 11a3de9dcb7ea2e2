import { describeTenants } from '#test/behaviour/tenants.ts';

describeTenants('embedded', ['llm.graphql']);
