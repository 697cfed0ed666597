import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

type Schemas = components['schemas'];
export type Me = Schemas['Me'];
/** The document cannot say that an object may be null; the daemon's own comments do. */
export type Auth = Omit<Schemas['Auth'], 'user'> & { user: Me | null };
export type Session = Schemas['Session'];
export type Snapshot = Schemas['Snapshot'];
export type Competition = Schemas['Competition'];
export type CompetitionDetail = Schemas['CompetitionDetail'];
export type Leaderboard = Schemas['Leaderboard'];
export type LeaderboardEntry = Schemas['LeaderboardEntry'];
export type Submission = Schemas['Submission'];
export type SubmissionCreated = Schemas['SubmissionCreated'];
export type Dataset = Schemas['Dataset'];
export type DataFile = Schemas['DataFile'];
export type GPU = Schemas['GPU'];
export type Pack = Schemas['Pack'];
export type Token = Schemas['Token'];
export type Browser = Schemas['Browser'];
export type User = Schemas['User'];
export type Check = Schemas['Check'];
export type Health = Schemas['Health'];
export type Event = Schemas['Event'];
export type ProblemBody = Schemas['Problem'];
export type Mistake = Schemas['Field'];
export type ListMeta = Schemas['ListMeta'];

/** Problem is every failure of a call, as an error that can be thrown. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string;
  readonly errors: Mistake[];
  /** Seconds until trying again can help; 0 when that is not known. */
  readonly retryAfter: number;

  constructor(body: Partial<ProblemBody>, status: number, retryAfter = 0) {
    super(body.detail || `MedForge answered with status ${status}.`);
    this.name = 'Problem';
    this.status = status;
    this.code = body.code ?? '';
    this.requestId = body.request_id ?? '';
    this.errors = body.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

/** unreachable is the problem of a request that got no answer. */
export const unreachable = () =>
  new Problem({ code: 'network/unreachable', detail: 'MedForge cannot be reached. Check the connection, then try again.' }, 0);

/** toProblem reads whatever came instead of a success. */
export function toProblem(body: unknown, status: number, headers?: Headers): Problem {
  const retry = Number(headers?.get('Retry-After') ?? 0);
  const known = typeof body === 'object' && body !== null ? (body as Partial<ProblemBody>) : {};
  return new Problem(known, status, Number.isFinite(retry) ? retry : 0);
}

export const api = createClient<paths>({ credentials: 'same-origin' });

interface Result<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** call waits for a call's answer and throws a Problem when it is a failure. */
export async function call<T>(pending: Promise<Result<T>>): Promise<T> {
  let result: Result<T>;
  try {
    result = await pending;
  } catch (err) {
    if (err instanceof DOMException && err.name === 'AbortError') throw err;
    throw unreachable();
  }
  if (!result.response.ok || result.error !== undefined) throw toProblem(result.error, result.response.status, result.response.headers);
  return result.data as T;
}

/** data is call for a success whose envelope holds only data of interest. */
export async function data<T>(pending: Promise<Result<{ data: T }>>): Promise<T> {
  return (await call(pending)).data;
}
