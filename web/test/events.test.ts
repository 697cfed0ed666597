import { describe, expect, it } from 'vitest';
import type { Event } from '@/api/client';
import { affected, type Source, Stream, wait } from '@/api/events';
import { addStage } from '@/api/stages';

const event = (name: string, more: Partial<Event> = {}): Event => ({ event: name, seq: 1, time: '2026-11-24T12:00:00Z', ...more });

class FakeSource implements Source {
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((e: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  problem = () => {};
  ended = false;
  addEventListener(_: 'problem', f: () => void) { this.problem = f; }
  close() { this.ended = true; this.readyState = 2; }
}

function rig() {
  const sources: FakeSource[] = [];
  const timers: { f: () => void; ms: number }[] = [];
  const seen: string[] = [];
  const stream = new Stream({
    open: () => { const s = new FakeSource(); sources.push(s); return s; },
    onEvent: (e) => seen.push(e.event),
    onState: (live) => seen.push(live ? 'live' : 'away'),
    onGap: () => seen.push('gap'),
    setTimer: (f, ms) => timers.push({ f, ms }),
    clearTimer: () => { timers.length = 0; },
  });
  const last = () => sources[sources.length - 1]!;
  return { stream, sources, timers, seen, last };
}

describe('Stream', () => {
  it('passes events on, and the first connection is no gap', () => {
    const { stream, seen, last } = rig();
    stream.start();
    last().onopen?.();
    last().onmessage?.({ data: JSON.stringify(event('session.running')) });
    expect(seen).toEqual(['live', 'session.running']);
  });

  it('lets the browser take a broken connection up again', () => {
    const { stream, sources, timers, seen, last } = rig();
    stream.start();
    last().onopen?.();
    last().readyState = 0; // EventSource.CONNECTING
    last().onerror?.();
    last().onopen?.();
    expect(sources).toHaveLength(1);
    expect(timers).toHaveLength(0);
    expect(seen).toEqual(['live', 'away', 'live']);
  });

  it('opens a new one, with growing waits, when it was refused', () => {
    const { stream, sources, timers, seen, last } = rig();
    stream.start();
    for (let i = 0; i < 3; i++) {
      last().readyState = 2;
      last().onerror?.();
      timers.shift()!.f();
    }
    expect(sources).toHaveLength(4);
    last().onopen?.();
    expect(seen).toEqual(['away', 'away', 'away', 'away', 'away', 'away', 'live', 'gap']);
  });

  it('comes back once after the daemon ended it with a reason', () => {
    const { stream, sources, timers, seen, last } = rig();
    stream.start();
    last().onopen?.();
    const old = last();
    old.problem();
    old.onerror?.(); // the connection closes after it, and is ours no more
    expect(old.ended).toBe(true);
    expect(timers).toHaveLength(1);
    timers.shift()!.f();
    last().onopen?.();
    expect(sources).toHaveLength(2);
    expect(seen).toEqual(['live', 'away', 'live', 'gap']);
  });

  it('is one stream however often it is started, and misses events while stopped', () => {
    const { stream, sources, seen, last } = rig();
    stream.start();
    stream.start();
    expect(sources).toHaveLength(1);
    stream.stop();
    stream.start();
    last().onopen?.();
    expect(sources).toHaveLength(2);
    expect(seen).toEqual(['live', 'gap']);
  });

  it('waits half a second to half a minute', () => {
    expect([0, 1, 5, 6, 40].map(wait)).toEqual([500, 1000, 16_000, 30_000, 30_000]);
  });
});

describe('affected', () => {
  it('names only the competition that changed', () => {
    expect(affected(event('leaderboard.changed', { data: { competition: 'titanic-survival' } }))).toContainEqual(['board', 'titanic-survival']);
    expect(affected(event('submission.scored', { data: { competition: 'x' } }))).toContainEqual(['submissions', 'x']);
  });

  it('has a session\'s life refresh sessions and GPUs', () => {
    for (const name of ['session.start', 'session.running', 'session.stopping', 'session.stop']) {
      expect(affected(event(name))).toEqual([['sessions'], ['gpus']]);
    }
  });

  it('takes readings and unknown events as they are', () => {
    expect(affected(event('gpu.sample'))).toEqual([]);
    expect(affected(event('something.new'))).toEqual([]);
  });

  it('refreshes datasets when an import is done, not all the way', () => {
    expect(affected(event('dataset.progress', { data: { done: 1, total: 2 } }))).toEqual([]);
    expect(affected(event('dataset.progress', { data: { done: 2, total: 2 } }))).toEqual([['datasets']]);
  });
});

describe('addStage', () => {
  it('adds each once, in order, and begins anew with a start', () => {
    const stage = (name: string, ms: number, error?: string) => event('session.stage', { slug: 's', data: { stage: name, duration_ms: ms, error } });
    let all = addStage([{ name: 'old', ms: 1, error: '' }], event('session.start'));
    all = addStage(all, stage('workspace', 5));
    all = addStage(all, stage('gpu', 7, 'it is lost'));
    all = addStage(all, stage('workspace', 6));
    expect(all).toEqual([{ name: 'gpu', ms: 7, error: 'it is lost' }, { name: 'workspace', ms: 6, error: '' }]);
  });
});
