import type { LeaderboardEntry } from '@/api/client';

/**
 * cell quotes a field as RFC 4180 has it. A name that a spreadsheet would run
 * as a formula gets an apostrophe before it, as `medforge leaderboard --csv`
 * gives it.
 */
function cell(text: string, foreign = false): string {
  const safe = foreign && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** boardCSV is the board as `medforge leaderboard --csv` prints it. */
export function boardCSV(entries: LeaderboardEntry[]): string {
  const rows = entries.map((e) => [
    String(e.rank), cell(e.name, true), String(e.primary_score), cell(e.best_submission_id), cell(e.evaluation_split_version), e.scored_at,
  ].join(','));
  return ['rank,name,score,submission_id,split,scored_at', ...rows, ''].join('\n');
}
