import { Dashboard } from '@/features/dashboard';

export default function Page() {
  return <Dashboard />;
}
