// What the example prints with.
const { stdout } = process;
const colours = stdout.isTTY && !process.env['NO_COLOR'];

export const bold = (text: string): string => (colours ? `\x1b[1m${text}\x1b[22m` : text);
export const dim = (text: string): string => (colours ? `\x1b[2m${text}\x1b[22m` : text);

/** Prints a name and what there is to say about it. */
export function row(name: string, value = ''): void {
  console.log(`  ${name.padEnd(26)} ${value}`.trimEnd());
}

/** A bar that stays in its line on a terminal. Elsewhere each state is a line. */
export class ProgressBar {
  show(done: number, known: number, note: string): void {
    const share = known > 0 ? Math.min(done / known, 1) : 0;
    const percent = `${Math.round(share * 100)} %`.padStart(5);
    if (!stdout.isTTY) return row(`${percent}, ${done} of ${known} calls`, note);
    const width = Math.min(40, Math.max(stdout.columns - 50, 10));
    const eighths = Math.round(share * width * 8);
    const bar = '█'.repeat(eighths >> 3) + (eighths % 8 > 0 ? '▏▎▍▌▋▊▉'[(eighths % 8) - 1] : '');
    const line = `  \x1b[36m${bar.padEnd(width)}\x1b[39m ${percent}  ${done} of ${known} calls, ${note}`;
    stdout.write(`\r${colours ? line : line.replace(/\x1b\[\d+m/g, '')}\x1b[K`);
  }

  clear(): void {
    if (stdout.isTTY) stdout.write('\r\x1b[K');
  }
}
