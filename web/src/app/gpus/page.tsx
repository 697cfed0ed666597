import type { Metadata } from 'next';
import { GPUs } from '@/features/gpus';

export const metadata: Metadata = { title: 'GPUs' };

export default function Page() {
  return <GPUs />;
}
