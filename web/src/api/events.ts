import type { Event } from './client';

/** affected names what an event makes stale, as beginnings of query keys. */
export function affected(e: Event): string[][] {
  const competition = typeof e.data?.competition === 'string' ? e.data.competition : '';
  switch (e.event) {
    case 'session.start':
    case 'session.running':
    case 'session.stopping':
    case 'session.stop':
      return [['sessions'], ['gpus']];
    case 'session.snapshot':
    case 'session.space':
      return [['sessions', 'snapshots', e.slug ?? ''], ['sessions', 'usage', e.slug ?? '']];
    case 'gpu.quarantined':
    case 'gpu.enabled':
    case 'gpu.disabled':
      return [['gpus']];
    case 'pack.imported':
    case 'pack.used':
      return [['packs']];
    case 'submission.created':
    case 'submission.scored':
      return [['submissions', competition], ['queue']];
    case 'leaderboard.changed':
      return [['board', competition], ['progress', competition]];
    case 'dataset.progress':
      return e.data?.done === e.data?.total ? [['datasets']] : [];
    case 'account.created':
    case 'account.changed':
      return [['users'], ['me']];
    case 'account.signed_in':
    case 'account.signed_out':
      return [['account', 'browsers'], ['me']];
    case 'daemon.degraded':
    case 'daemon.recovered':
      return [['health'], ['doctor']];
  }
  return [];
}

/** Source is what of EventSource is used; a test gives its own. */
export interface Source {
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((e: { data: string }) => void) | null;
  onerror: (() => void) | null;
  addEventListener(type: 'problem', listener: () => void): void;
  close(): void;
}

const closed = 2; // EventSource.CLOSED

export interface StreamOptions {
  open: () => Source;
  onEvent: (e: Event) => void;
  /** The stream is not there for now, or is again. */
  onState: (live: boolean) => void;
  /** Events may have been missed: whatever is shown may be stale. */
  onGap: () => void;
  setTimer?: (f: () => void, ms: number) => unknown;
  clearTimer?: (t: unknown) => void;
}

/**
 * Stream keeps one event stream open. A connection that breaks is taken up
 * again by the browser itself, after the last event seen. Where that is not
 * possible (the daemon refused, or ended the stream with a reason) a new one is
 * opened with growing waits, and onGap tells that events were missed.
 */
export class Stream {
  private source: Source | null = null;
  private timer: unknown = null;
  private tries = 0;
  private gap = false;
  private readonly o: StreamOptions;

  constructor(o: StreamOptions) {
    this.o = o;
  }

  /** start reports whether the stream was not open and is now being opened. */
  start(): boolean {
    if (this.source !== null || this.timer !== null) return false;
    const source = this.o.open();
    this.source = source;
    source.onopen = () => {
      this.tries = 0;
      this.o.onState(true);
      if (this.gap) this.o.onGap();
      this.gap = false;
    };
    source.onmessage = ({ data }) => this.o.onEvent(JSON.parse(data) as Event);
    source.addEventListener('problem', () => this.again());
    source.onerror = () => {
      this.o.onState(false);
      if (source.readyState === closed) this.again();
    };
    return true;
  }

  /** stop ends the stream; whoever starts it again has missed events. */
  stop(): void {
    (this.o.clearTimer ?? ((t) => clearTimeout(t as number)))(this.timer);
    this.timer = null;
    this.close();
  }

  private close(): void {
    if (this.source === null) return;
    this.source.onopen = this.source.onmessage = this.source.onerror = null;
    this.source.close();
    this.source = null;
    this.gap = true;
  }

  private again(): void {
    if (this.source === null) return;
    this.close();
    this.o.onState(false);
    this.timer = (this.o.setTimer ?? setTimeout)(() => {
      this.timer = null;
      this.start();
    }, wait(this.tries++));
  }
}

/** wait is how long to wait before the n-th try, in milliseconds: 0.5 to 30 s. */
export const wait = (tries: number): number => Math.min(30_000, 500 * 2 ** tries);
