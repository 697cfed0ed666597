import Link from 'next/link';
export default function Home() {
  return <main><h1>List</h1><Link href="/">home</Link> <Link href="/competitions/titanic-survival">titanic</Link></main>;
}
