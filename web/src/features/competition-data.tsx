'use client';

import { useQuery } from '@tanstack/react-query';
import type { CompetitionDetail } from '@/api/client';
import { dataFilesQuery, meQuery } from '@/api/queries';
import { bytes } from '@/lib/format';
import { LinkButton } from '@/ui/button';
import { Card, Empty, Skeleton } from '@/ui/layout';
import { Link } from '@/ui/link';
import { ErrorNote, Note } from '@/ui/note';
import { Table } from '@/ui/table';
import { CompetitionFrame } from './competition-frame';

export function DataPage() {
  return <CompetitionFrame part="Data">{(c) => <Data c={c} />}</CompetitionFrame>;
}

function Data({ c }: { c: CompetitionDetail }) {
  const me = useQuery(meQuery).data;
  const files = useQuery({ ...dataFilesQuery(c.slug), enabled: Boolean(me) });
  if (me === null) {
    return (
      <Card>
        <Empty title="The data is for those who are signed in" actions={<LinkButton look="primary" href={`/signin?${new URLSearchParams({ next: `/competitions/${c.slug}/data` })}`}>Sign in</LinkButton>} />
      </Card>
    );
  }
  const list = files.data ?? [];
  return (
    <div className="space-y-6">
      <Note>
        In a session, the command line fetches it: <code>medforge competition data {c.slug} --out /workspace/data</code>
      </Note>
      <Card title="Files" flush actions={list.length > 0 && <LinkButton outside download href={`/api/v1/competitions/${encodeURIComponent(c.slug)}/data/archive`}>Download all, {bytes(list.reduce((n, f) => n + f.bytes, 0))}</LinkButton>}>
        {files.isPending && <Skeleton />}
        {files.error && <div className="p-4"><ErrorNote error={files.error} retry={() => void files.refetch()} /></div>}
        {files.data && list.length === 0 && (
          <Empty title="No files here yet">
            {c.dataset_slug ? <>The dataset <Link className="link" href={`/datasets/${c.dataset_slug}`}>{c.dataset_title || c.dataset_slug}</Link> has not been imported. An admin does so with <code>medforge dataset import {c.dataset_slug} PATH</code>.</> : 'The description says where to get the data.'}
          </Empty>
        )}
        {list.length > 0 && (
          <Table caption="Files of the competition" rows={list} id={(f) => f.path} columns={[
            { title: 'File', head: true, cell: (f) => <code className="wrap-anywhere">{f.path}</code> },
            { title: 'Size', right: true, cell: (f) => bytes(f.bytes) },
          ]} />
        )}
      </Card>
    </div>
  );
}
