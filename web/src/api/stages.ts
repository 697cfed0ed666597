import type { Event } from './client';

/** Stage is a step of a session's start that is done, or failed. */
export interface Stage {
  name: string;
  ms: number;
  error: string;
}

/** The steps of a start, in order, by the names that session.stage events carry. */
export const stageNames: Record<string, string> = {
  workspace: 'Workspace', sockets: 'Sockets', gpu: 'GPU', container: 'Container', task: 'Process', ide: 'VS Code',
};

/** addStage is the stages with what an event adds; a start begins anew. */
export function addStage(old: Stage[] | undefined, e: Event): Stage[] {
  if (e.event === 'session.start') return [];
  const name = String(e.data?.stage ?? '');
  const stage = { name, ms: Number(e.data?.duration_ms ?? 0), error: String(e.data?.error ?? '') };
  return [...(old ?? []).filter((s) => s.name !== name), stage];
}
