import type { LeaderboardEntry, Submission } from '@/api/client';

export interface Line {
  label: string;
  /** Dots are single values; a line keeps each value until the next. */
  kind: 'dots' | 'line';
  /** One for each of the times; null where there is none yet. */
  values: (number | null)[];
}

export interface Progress {
  /** Seconds since 1970, rising. */
  times: number[];
  lines: Line[];
}

const seconds = (iso: string) => Date.parse(iso) / 1000;

/** ownProgress is one's own scored submissions by time, and the best so far. */
export function ownProgress(subs: Submission[], higherIsBetter: boolean): Progress {
  const points = subs
    .flatMap((s) => (s.official_score ? [{ at: seconds(s.created_at), score: s.official_score.primary_score }] : []))
    .sort((a, b) => a.at - b.at);
  let best = higherIsBetter ? -Infinity : Infinity;
  return {
    times: points.map((p) => p.at),
    lines: [
      { label: "A submission's score", kind: 'dots', values: points.map((p) => p.score) },
      { label: 'Your best', kind: 'line', values: points.map((p) => (best = higherIsBetter ? Math.max(best, p.score) : Math.min(best, p.score))) },
    ],
  };
}

/** leaders is how the bests of several people came about: a line for each, over all their times. */
export function leaders(people: { name: string; history: Pick<LeaderboardEntry, 'primary_score' | 'scored_at'>[] }[]): Progress {
  const times = [...new Set(people.flatMap((p) => p.history.map((e) => seconds(e.scored_at))))].sort((a, b) => a - b);
  return {
    times,
    lines: people.map(({ name, history }) => {
      const at = new Map(history.map((e) => [seconds(e.scored_at), e.primary_score]));
      let last: number | null = null;
      return { label: name, kind: 'line', values: times.map((t) => (last = at.get(t) ?? last)) };
    }),
  };
}
