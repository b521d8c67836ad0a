// Windows file times as ISO dates, by integer arithmetic alone: import must not ask the system for a calendar.

const TICKS_PER_MILLISECOND = 10_000n;
const MILLISECONDS_PER_DAY = 86_400_000n;
const DAYS_PER_400_YEARS = 146_097;
const DAYS_PER_100_YEARS = 36_524;
const DAYS_PER_4_YEARS = 1461;
const DAYS_PER_YEAR = 365;
const DAYS_OF_MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
/** The first tick of the year 10000, from which ISO dates need a sign. */
const END = 2_650_467_744_000_000_000n;

/**
 * A file time (100 ns since 1601-01-01 UTC) as an ISO date in UTC, cut to milliseconds.
 * Empty for 0, which stands for "not known", and from the year 10000.
 */
export function isoDate(fileTime: bigint): string {
  if (fileTime <= 0n || fileTime >= END) return "";
  const milliseconds = fileTime / TICKS_PER_MILLISECOND;
  const { year, month, day } = civilDate(Number(milliseconds / MILLISECONDS_PER_DAY));
  const rest = Number(milliseconds % MILLISECONDS_PER_DAY);
  const seconds = Math.floor(rest / 1000);
  const time = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((part) => digits(part, 2));
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}T${time.join(":")}.${digits(rest % 1000, 3)}Z`;
}

/** 1601 begins a cycle of 400 years, so leap days stand at the ends of 4, of 100 (not) and of 400 years. */
function civilDate(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  const cycles = Math.floor(days / DAYS_PER_400_YEARS);
  const inCycle = days % DAYS_PER_400_YEARS;
  const centuries = Math.min(3, Math.floor(inCycle / DAYS_PER_100_YEARS));
  const inCentury = inCycle - centuries * DAYS_PER_100_YEARS;
  const leaps = Math.floor(inCentury / DAYS_PER_4_YEARS);
  const inLeap = inCentury % DAYS_PER_4_YEARS;
  const years = Math.min(3, Math.floor(inLeap / DAYS_PER_YEAR));
  const isLeapYear = years === 3 && (leaps !== 24 || centuries === 3);
  const year = 1601 + 400 * cycles + 100 * centuries + 4 * leaps + years;
  return { year, ...monthAndDay(inLeap - years * DAYS_PER_YEAR, isLeapYear) };
}

function monthAndDay(dayOfYear: number, isLeapYear: boolean): { readonly month: number; readonly day: number } {
  let left = dayOfYear;
  for (const [index, days] of DAYS_OF_MONTHS.entries()) {
    const length = index === 1 && isLeapYear ? days + 1 : days;
    if (left < length) return { month: index + 1, day: left + 1 };
    left -= length;
  }
  throw new RangeError(`Cannot name a month: a year has no day ${dayOfYear}`);
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, "0");
}
