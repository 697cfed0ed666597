'use client';

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type DragEvent, type FormEvent, useRef, useState } from 'react';
import { api, type CompetitionDetail, data, type Mistake, Problem, type SubmissionCreated } from '@/api/client';
import { submit } from '@/api/upload';
import { bytes, moment, plural, score } from '@/lib/format';
import { Button } from '@/ui/button';
import { cx } from '@/ui/cx';
import { Field } from '@/ui/field';
import { Card, Status } from '@/ui/layout';
import { ErrorNote, Note } from '@/ui/note';
import { Table } from '@/ui/table';

/** SubmitForm sends a file of predictions, and says what is wrong with it or what it scored. */
export function SubmitForm({ c }: { c: CompetitionDetail }) {
  const client = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const [part, setPart] = useState(0);
  const form = useRef<HTMLFormElement>(null);
  const send = useMutation<SubmissionCreated, Error, { file: File; message: string }>({
    mutationFn: (v) => submit(c.slug, v.file, v.message, setPart),
    onSuccess: () => {
      setFile(null);
      form.current?.reset();
      void client.invalidateQueries({ queryKey: ['submissions', c.slug] });
    },
  });
  const go = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    if (!file) return;
    setPart(0);
    send.mutate({ file, message: String(new FormData(e.currentTarget).get('message') ?? '') });
  };
  const choose = (f: File | null) => {
    setFile(f);
    send.reset();
  };
  return (
    <Card title="Submit predictions">
      <form ref={form} onSubmit={go} className="space-y-4">
        <DropZone file={file} choose={choose} columns={c.columns.join(',')} />
        <Field label="Message" name="message" maxLength={500} autoComplete="off" help="For yourself: what is new about this one. Optional." />
        <div className="flex flex-wrap items-center gap-4">
          <Button type="submit" look="primary" disabled={!file} busy={send.isPending}>Submit</Button>
          {send.isPending && (
            <label className="flex items-center gap-2 text-sm">
              <progress max={1} value={part} className="h-2 w-40" />
              <span className="tabular-nums">{Math.floor(part * 100)} % sent</span>
            </label>
          )}
        </div>
      </form>
      <div className="mt-4 empty:hidden" aria-live="polite">
        {send.data && <Outcome receipt={send.data} />}
        {send.error && <Refusal error={send.error} />}
      </div>
    </Card>
  );
}

function DropZone({ file, choose, columns }: { file: File | null; choose: (f: File | null) => void; columns: string }) {
  const [over, setOver] = useState(false);
  const drop = (e: DragEvent) => {
    e.preventDefault();
    setOver(false);
    choose(e.dataTransfer.files[0] ?? null);
  };
  return (
    <label onDragOver={(e) => { e.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)} onDrop={drop}
      className={cx('focus-within:outline-accent flex cursor-pointer flex-col items-center gap-1 rounded-lg border-2 border-dashed px-4 py-8 text-center focus-within:outline-2 focus-within:outline-offset-2', over ? 'border-accent bg-accent-soft' : 'border-strong-line/60 hover:border-strong-line')}>
      <input type="file" name="file" accept=".csv,text/csv" className="sr-only" onChange={(e) => choose(e.currentTarget.files?.[0] ?? null)} />
      <span className="font-medium wrap-anywhere">{file ? file.name : 'Drop a CSV file here, or choose one'}</span>
      <span className="text-muted text-sm">{file ? `${bytes(file.size)}; choose another to replace it` : <>The header is <code>{columns}</code></>}</span>
    </label>
  );
}

/** Outcome follows a submission until it is scored. */
function Outcome({ receipt }: { receipt: SubmissionCreated }) {
  const id = receipt.submission.id;
  const slug = receipt.submission.competition_slug;
  const sub = useQuery({
    queryKey: ['submissions', slug, 'one', id], // submission.scored makes it stale
    queryFn: ({ signal }) => data(api.GET('/api/v1/submissions/{id}', { params: { path: { id } }, signal })),
    initialData: receipt.submission,
    refetchInterval: (q) => (q.state.data?.score_status === 'queued' || q.state.data?.score_status === 'scoring' ? 2_000 : false),
  }).data;
  const left = `${plural(receipt.remaining_today, 'submission')} of ${receipt.daily_cap} left today; the day ends ${moment(receipt.resets_at)}.`;
  if (sub.score_status === 'failed') return <Note tone="bad" title="It could not be scored">{sub.score_error} {left}</Note>;
  if (sub.official_score) return <Note tone="ok" title={`Scored ${score(sub.official_score.primary_score)}`}>{left}</Note>;
  return <Note title="Received"><span className="flex flex-wrap items-center gap-2"><Status of={sub.score_status} /> {left}</span></Note>;
}

const context = (m: Mistake, key: string): string => String(m.ctx?.[key] ?? '–');

/** Told is a mistake; where the page is narrow, with what has no column of its own there. */
function Told({ m }: { m: Mistake }) {
  return (
    <span className="wrap-break-word">
      {m.msg}
      <span className="text-muted block text-xs md:hidden">{[m.ctx?.column && `column ${String(m.ctx.column)}`, Number(m.ctx?.count) > 1 && `${String(m.ctx?.count)} times`].filter(Boolean).join(', ')}</span>
    </span>
  );
}

/** Refusal: predictions with mistakes come back with each kind of them. */
function Refusal({ error }: { error: Error }) {
  const p = error instanceof Problem ? error : null;
  if (!p || p.errors.length === 0) return <ErrorNote error={error} />;
  return (
    <div role="alert" className="border-bad/40 overflow-hidden rounded-lg border">
      <div className="bg-bad-soft px-4 py-3 text-sm sm:px-5">
        <p className="font-medium">Nothing was scored, and no submission was used up</p>
        <p className="mt-1">{p.message}</p>
      </div>
      <Table caption="Mistakes in the file" rows={p.errors} id={(m) => `${m.type} ${m.loc}`} columns={[
        { title: 'Row', right: true, cell: (m) => context(m, 'row') },
        { title: 'Column', wide: true, cell: (m) => <code>{context(m, 'column')}</code> },
        { title: 'Mistake', head: true, cell: (m) => <Told m={m} /> },
        { title: 'Times', right: true, wide: true, cell: (m) => context(m, 'count') },
      ]} />
    </div>
  );
}
