import type { Competition } from '@/api/client';
import { metricName } from '@/lib/words';
import { Empty } from '@/ui/layout';
import { Link } from '@/ui/link';

export function CompetitionCards({ competitions, level: Heading = 'h2' }: { competitions: Competition[]; level?: 'h2' | 'h3' }) {
  if (competitions.length === 0) return <Empty title="There are no competitions here yet">An admin adds one with <code>medforge admin competition add</code>.</Empty>;
  return (
    <ul className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
      {competitions.map((c) => (
        <li key={c.slug} className="bg-surface border-line hover:border-strong-line relative rounded-xl border p-5">
          <Heading><Link href={`/competitions/${c.slug}`} className="after:absolute after:inset-0 after:rounded-xl">{c.title}</Link></Heading>
          <p className="text-muted mt-1 text-sm">{metricName(c.metric)}, {c.higher_is_better ? 'higher' : 'lower'} is better</p>
          <p className="text-muted mt-4 text-sm">{c.is_permanent ? 'Permanent' : 'Limited in time'} · {c.submission_cap_per_day} submissions a day</p>
        </li>
      ))}
    </ul>
  );
}
