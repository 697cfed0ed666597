import { type Problem, type SubmissionCreated, toProblem, unreachable } from './client';

/**
 * submit sends a file of predictions. Not by fetch: only XMLHttpRequest tells
 * how much has been sent. It rejects with a Problem.
 */
export function submit(slug: string, file: File, message: string, onProgress: (part: number) => void): Promise<SubmissionCreated> {
  return new Promise((resolve, reject: (p: Problem) => void) => {
    const form = new FormData();
    form.set('message', message);
    form.set('file', file, file.name);
    const req = new XMLHttpRequest();
    req.open('POST', `/api/v1/competitions/${encodeURIComponent(slug)}/submissions`);
    req.responseType = 'json';
    req.upload.onprogress = (e) => { if (e.lengthComputable) onProgress(e.loaded / e.total); };
    req.onerror = () => reject(unreachable());
    req.onload = () => {
      const body: unknown = req.response;
      if (req.status < 200 || req.status >= 300) {
        const headers = new Headers();
        const retry = req.getResponseHeader('Retry-After');
        if (retry) headers.set('Retry-After', retry);
        reject(toProblem(body, req.status, headers));
        return;
      }
      resolve((body as { data: SubmissionCreated }).data);
    };
    req.send(form);
  });
}
