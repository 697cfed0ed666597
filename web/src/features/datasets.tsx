'use client';

import { useQuery } from '@tanstack/react-query';
import { competitionsQuery, datasetQuery, datasetsQuery } from '@/api/queries';
import { bytes } from '@/lib/format';
import { useSegment, useTitle } from '@/lib/hooks';
import { Badge, Card, Empty, Facts, PageHeader, Skeleton } from '@/ui/layout';
import { Link } from '@/ui/link';
import { ErrorNote, Note } from '@/ui/note';
import { Table } from '@/ui/table';

export function Datasets() {
  const datasets = useQuery(datasetsQuery);
  const rows = datasets.data ?? [];
  return (
    <>
      <PageHeader title="Datasets" lead="What competitions are made from. Some come with MedForge, others an admin imports once." />
      <Card flush>
        {datasets.isPending && <Skeleton />}
        {datasets.error && <div className="p-4"><ErrorNote error={datasets.error} retry={() => void datasets.refetch()} /></div>}
        {datasets.data && rows.length === 0 && <Empty title="No datasets yet">They come with competitions.</Empty>}
        {rows.length > 0 && (
          <Table caption="Datasets" rows={rows} id={(d) => d.slug} columns={[
            { title: 'Dataset', head: true, cell: (d) => <Link className="link" href={`/datasets/${d.slug}`}>{d.title}</Link> },
            { title: 'State', cell: (d) => <Imported bytes={d.bytes} /> },
            { title: 'License', wide: true, cell: (d) => d.license || '–' },
            { title: 'Size', right: true, cell: (d) => (d.bytes > 0 ? bytes(d.bytes) : '–') },
          ]} />
        )}
      </Card>
    </>
  );
}

function Imported({ bytes: n }: { bytes: number }) {
  return n > 0 ? <Badge tone="ok">imported</Badge> : <Badge>not imported</Badge>;
}

export function DatasetPage() {
  const slug = useSegment(1);
  const dataset = useQuery({ ...datasetQuery(slug), enabled: slug !== '' });
  const competitions = useQuery(competitionsQuery);
  const d = dataset.data;
  useTitle(d?.title ?? '');
  const above = <Link className="link" href="/datasets">Datasets</Link>;
  if (dataset.error && !d) {
    return (
      <>
        <PageHeader title={slug} above={above} />
        <ErrorNote error={dataset.error} retry={() => void dataset.refetch()} />
      </>
    );
  }
  if (!d) return <Skeleton />;
  return (
    <>
      <PageHeader title={d.title} above={above} />
      <div className="space-y-6">
        <Card title="About">
          <Facts columns={2} rows={[
            ['Slug', <code key="s">{d.slug}</code>],
            ['State', <Imported key="i" bytes={d.bytes} />],
            ['Size', d.bytes > 0 ? bytes(d.bytes) : '–'],
            ['License', d.license || 'Not stated'],
            ['Source', /^https?:\/\//.test(d.source) ? <a key="u" className="link" href={d.source} rel="noreferrer noopener">{d.source}</a> : d.source || 'Not stated'],
            ['SHA-256', d.checksum ? <code key="c">{d.checksum}</code> : '–'],
          ]} />
        </Card>
        {d.bytes === 0 && <Note title="Not imported yet">An admin does so on the host: <code>medforge dataset import {d.slug} PATH</code>. Without it the competition can still be entered with the data from its source.</Note>}
        {(competitions.data?.length ?? 0) > 0 && <p className="text-muted text-sm">In a session: <code>medforge dataset show {d.slug}</code></p>}
      </div>
    </>
  );
}
