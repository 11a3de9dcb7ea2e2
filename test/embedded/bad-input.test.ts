import { describeBadInput } from '#test/behaviour/bad-input.ts';

describeBadInput('embedded');
