import type { Metadata } from 'next';
import { Sessions } from '@/features/sessions';

export const metadata: Metadata = { title: 'Sessions' };

export default function Page() {
  return <Sessions />;
}
