import type { Metadata } from 'next';
import { Competitions } from '@/features/competitions';

export const metadata: Metadata = { title: 'Competitions' };

export default function Page() {
  return <Competitions />;
}
