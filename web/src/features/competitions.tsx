'use client';

import { useQuery } from '@tanstack/react-query';
import { competitionsQuery } from '@/api/queries';
import { PageHeader, Skeleton } from '@/ui/layout';
import { ErrorNote } from '@/ui/note';
import { CompetitionCards } from './competition-cards';

export function Competitions() {
  const list = useQuery(competitionsQuery);
  return (
    <>
      <PageHeader title="Competitions" lead="Predictions are scored at once against labels that nobody sees. The boards stay." />
      {list.isPending && <Skeleton />}
      <ErrorNote error={list.error} retry={() => void list.refetch()} />
      {list.data && <CompetitionCards competitions={list.data} />}
    </>
  );
}
