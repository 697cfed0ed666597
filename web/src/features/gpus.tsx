'use client';

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { GPU } from '@/api/client';
import { gpusQuery, meQuery } from '@/api/queries';
import { bytes, percent } from '@/lib/format';
import { useRequired } from '@/lib/hooks';
import { Card, Empty, Meter, PageHeader, Skeleton, Status } from '@/ui/layout';
import { ErrorNote } from '@/ui/note';
import { type Column, Table } from '@/ui/table';

export function GPUs() {
  const me = useRequired();
  if (!me) return <Skeleton />;
  return (
    <>
      <PageHeader title="GPUs" lead="One session has one GPU, and nobody else's work is on it. Readings come live." />
      <Card flush><GPUTable /></Card>
    </>
  );
}

/** GPUTable is the host's devices with their readings. */
export function GPUTable({ actions }: { actions?: (g: GPU) => ReactNode }) {
  const me = useQuery(meQuery).data;
  const gpus = useQuery({ ...gpusQuery, enabled: Boolean(me) });
  const rows = gpus.data ?? [];
  if (gpus.isPending) return <Skeleton />;
  if (gpus.error && rows.length === 0) return <div className="p-4"><ErrorNote error={gpus.error} retry={() => void gpus.refetch()} /></div>;
  if (rows.length === 0) return <Empty title="This host has no GPU that MedForge sees"><code>medforge doctor</code> says why.</Empty>;
  const columns: Column<GPU>[] = [
    { title: 'GPU', head: true, cell: (g) => <><span className="font-medium">{g.index}</span> <span className="text-muted hidden lg:inline">{g.name}</span></> },
    { title: 'Status', cell: (g) => <><Status of={g.status} />{g.reason && <p className="text-muted mt-1 max-w-64 text-xs">{g.reason}</p>}</> },
    { title: 'Session', cell: (g) => (g.session ? <code>{g.session}</code> : '–') },
    { title: 'Use', cell: (g) => <Meter label={`GPU ${g.index} in use`} value={g.utilisation_percent} /> },
    { title: 'Memory', cell: (g) => <Meter label={`Memory in use on GPU ${g.index}`} value={percent(g.memory_used_bytes, g.memory_total_bytes)} text={`${bytes(g.memory_used_bytes)} / ${bytes(g.memory_total_bytes)}`} /> },
    { title: 'Temp', right: true, wide: true, cell: (g) => <span className="whitespace-nowrap">{g.temperature_c} °C</span> },
    { title: 'Power', right: true, wide: true, cell: (g) => <span className="whitespace-nowrap">{Math.round(g.power_milliwatts / 1000)} W</span> },
  ];
  if (actions) columns.splice(2, 0, { title: 'Actions', cell: actions }); // in sight where the readings are not
  return <Table caption="GPUs of the host" columns={columns} rows={rows} id={(g) => g.uuid} />;
}
