import type { LeaderboardEntry, Submission } from '@/api/client';

export interface Point {
  /** seconds since 1970 */
  at: number;
  score: number;
}

/** scoreHistory is one's own scored submissions by time, and the best so far. */
export function scoreHistory(subs: Submission[], higherIsBetter: boolean): { points: Point[]; best: number[] } {
  const points = subs
    .flatMap((s) => (s.official_score ? [{ at: Date.parse(s.created_at) / 1000, score: s.official_score.primary_score }] : []))
    .sort((a, b) => a.at - b.at);
  return { points, best: running(points.map((p) => p.score), higherIsBetter) };
}

/** leading is the users' best scores by when they were made, and the best of those so far. */
export function leading(entries: LeaderboardEntry[], higherIsBetter: boolean): { points: Point[]; best: number[] } {
  const points = entries.map((e) => ({ at: Date.parse(e.scored_at) / 1000, score: e.primary_score })).sort((a, b) => a.at - b.at);
  return { points, best: running(points.map((p) => p.score), higherIsBetter) };
}

function running(scores: number[], higherIsBetter: boolean): number[] {
  let best = higherIsBetter ? -Infinity : Infinity;
  return scores.map((s) => (best = higherIsBetter ? Math.max(best, s) : Math.min(best, s)));
}
