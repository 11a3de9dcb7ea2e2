import { describeCompleting } from '#test/behaviour/completing.ts';

describeCompleting('embedded');
