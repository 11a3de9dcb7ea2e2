import { describeLoad } from '#test/behaviour/load.ts';

describeLoad('embedded');
