import type { Metadata } from 'next';
import { AdminGPUs } from '@/features/admin-rooms';

export const metadata: Metadata = { title: 'GPUs of the host' };

export default function Page() {
  return <AdminGPUs />;
}
