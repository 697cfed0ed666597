import type { Metadata } from 'next';
import { Datasets } from '@/features/datasets';

export const metadata: Metadata = { title: 'Datasets' };

export default function Page() {
  return <Datasets />;
}
