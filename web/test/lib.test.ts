import { describe, expect, it } from 'vitest';
import type { LeaderboardEntry, Submission } from '@/api/client';
import { Problem, toProblem } from '@/api/client';
import { browserName } from '@/lib/agent';
import { boardCSV } from '@/lib/csv';
import { ago, bytes, duration, percent, plural, score } from '@/lib/format';
import { leaders, ownProgress } from '@/lib/progress';
import { plain } from '@/lib/terminal';
import { after, openURL, segment } from '@/lib/where';
import { metricName } from '@/lib/words';

describe('format', () => {
  it('writes sizes as the command line does', () => {
    expect([0, 1023, 1024, 1536, 150 * 1024 ** 3].map(bytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '150 GiB']);
  });
  it('writes durations', () => {
    expect([0, 340, 12_340, 59_999, 240_000, 3_600_000, 11_520_000, 187_200_000].map(duration))
      .toEqual(['0 ms', '340 ms', '12.3 s', '60.0 s', '4 min', '1 h', '3 h 12 min', '2 d 4 h']);
  });
  it('says how long ago, and a clock that is behind is just now', () => {
    const now = Date.parse('2026-11-24T12:00:00Z');
    expect(ago('2026-11-24T12:00:03Z', now)).toBe('just now');
    expect(ago('2026-11-24T11:59:18Z', now)).toBe('42 s ago');
    expect(ago('2026-11-24T09:00:00Z', now)).toBe('3 h ago');
  });
  it('gives scores five decimals', () => expect(score(0.765551)).toBe('0.76555'));
  it('takes no part of nothing', () => expect([percent(1, 0), percent(1, 3), percent(9, 3)]).toEqual([0, 33, 100]));
  it('counts', () => expect([plural(1, 'row'), plural(1418, 'row'), plural(2, 'person', 'people')]).toEqual(['1 row', '1,418 rows', '2 people']));
  it('names metrics', () => expect([metricName('log_loss'), metricName('map_iou')]).toEqual(['Log loss', 'Mean average precision over IoU']));
});

describe('after signing in', () => {
  it('goes to a session only through /open, which checks it', () => {
    const url = 'https://s-aaaaaa22.medforge.example.org/?folder=/workspace';
    expect(after(`?${new URLSearchParams({ return: url })}`)).toBe(`/open?return=${encodeURIComponent(url).replaceAll('%20', '+')}`);
    expect(after('?return=https://evil.example/')).toBe('/open?return=https%3A%2F%2Fevil.example%2F');
    expect(openURL('http://x/')).toBe('/open?return=http%3A%2F%2Fx%2F');
  });
  it('stays on this host', () => {
    expect(after('?next=/competitions/a%3Fb=1')).toBe('/competitions/a?b=1');
    for (const bad of ['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '/ok\\..', '/\t/evil', '', '/signin', '/signup?x', '/open?return=x', 'competitions']) {
      expect(after(`?${new URLSearchParams({ next: bad })}`), bad).toBe('/');
    }
  });
  it('reads a slug from the address', () => {
    expect(segment('/competitions/titanic-survival/leaderboard', 1)).toBe('titanic-survival');
    expect(segment('/sessions', 1)).toBe('');
    expect(segment('/sessions/%E0%A4%A', 1)).toBe('%E0%A4%A');
  });
});

describe('plain', () => {
  it('drops what a terminal would obey', () => {
    expect(plain('\u001b[31mred\u001b[0m and \u001b]0;title\u0007text\u001b(B')).toBe('red and text');
    expect(plain('10 %\r50 %\r100 %\r\ndone\r\n')).toBe('100 %\ndone\n');
    expect(plain('a\u0008\u0000b\u202ec\u009b')).toBe('abc');
  });
});

const entry = (rank: number, name: string, primary_score: number, scored_at: string): LeaderboardEntry => ({
  rank, name, primary_score, scored_at, user_id: `u${rank}`, best_submission_id: `s${rank}`, best_score_id: `c${rank}`, metric_version: '1', evaluation_split_version: 'v1',
});

describe('boardCSV', () => {
  it('quotes, and lets no spreadsheet run a name', () => {
    expect(boardCSV([entry(1, '=HYPERLINK("x"),', 0.5, '2026-01-01T00:00:00Z'), entry(2, 'Ann', 0.25, '2026-01-02T00:00:00Z')])).toBe(
      'rank,name,score,submission_id,split,scored_at\n1,"\'=HYPERLINK(""x""),",0.5,s1,v1,2026-01-01T00:00:00Z\n2,Ann,0.25,s2,v1,2026-01-02T00:00:00Z\n',
    );
  });
});

describe('progress', () => {
  const sub = (created_at: string, primary?: number) => ({ created_at, official_score: primary === undefined ? null : { primary_score: primary } }) as Submission;
  const subs = [sub('2026-01-02T00:00:00Z', 0.2), sub('2026-01-03T00:00:00Z'), sub('2026-01-04T00:00:00Z', 0.5), sub('2026-01-01T00:00:00Z', 0.4)];
  it('runs the best of what has a score, by time, either way round', () => {
    const p = ownProgress(subs, true);
    expect(p.times).toEqual([1767225600, 1767312000, 1767484800]);
    expect(p.lines.map((l) => l.values)).toEqual([[0.4, 0.2, 0.5], [0.4, 0.4, 0.5]]);
    expect(ownProgress(subs, false).lines[1]?.values).toEqual([0.4, 0.2, 0.2]);
  });
  it('keeps each leader\'s best until the next, over everybody\'s times', () => {
    const p = leaders([
      { name: 'Ann', history: [entry(1, 'Ann', 0.5, '2026-01-01T00:00:00Z'), entry(1, 'Ann', 0.9, '2026-01-03T00:00:00Z')] },
      { name: 'Bob', history: [entry(2, 'Bob', 0.7, '2026-01-02T00:00:00Z')] },
    ]);
    expect(p.lines).toEqual([
      { label: 'Ann', kind: 'line', values: [0.5, 0.5, 0.9] },
      { label: 'Bob', kind: 'line', values: [null, 0.7, 0.7] },
    ]);
  });
});

describe('toProblem', () => {
  it('reads a problem with its mistakes', () => {
    const p = toProblem({ detail: 'No GPU is free.', code: 'sessions/no-gpu-available', request_id: 'r', errors: null }, 409, new Headers({ 'Retry-After': '30' }));
    expect(p).toBeInstanceOf(Problem);
    expect([p.message, p.code, p.requestId, p.errors, p.retryAfter, p.status]).toEqual(['No GPU is free.', 'sessions/no-gpu-available', 'r', [], 30, 409]);
  });
  it('says something of what is no problem at all', () => {
    expect(toProblem('<html>', 502).message).toBe('MedForge answered with status 502.');
    expect(toProblem(null, 500, new Headers({ 'Retry-After': 'Wed, 21 Oct 2026 07:28:00 GMT' })).retryAfter).toBe(0);
  });
});

describe('browserName', () => {
  it('knows the usual ones', () => {
    expect(browserName('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36')).toBe('Chrome on Linux');
    expect(browserName('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1')).toBe('Safari on iOS');
    expect(browserName('curl/8.0')).toBe('curl/8.0');
    expect(browserName('')).toBe('Unknown browser');
  });
});
