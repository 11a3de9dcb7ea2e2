import { describeCrash } from '#test/behaviour/crash.ts';

describeCrash('embedded');
