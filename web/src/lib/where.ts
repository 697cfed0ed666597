/**
 * after is where to go once somebody has signed in. A session's host is only
 * reached through /open, which checks that it is one; on this host only a path
 * is taken, never another host's address.
 */
export function after(search: string): string {
  const q = new URLSearchParams(search);
  const target = q.get('return');
  if (target) return `/open?${new URLSearchParams({ return: target })}`;
  const next = q.get('next') ?? '/';
  return isLocalPath(next) ? next : '/';
}

/** isLocalPath: browsers read "//x" and "/\x" as another host. */
function isLocalPath(path: string): boolean {
  if (!/^\/(?![/\\])/.test(path) || /[\u0000-\u0020\\]/.test(path)) return false;
  return !/^\/(signin|signup|open)([/?#]|$)/.test(path);
}

/** openURL takes a signed-in visitor on to a session's VS Code. */
export const openURL = (url: string): string => `/open?${new URLSearchParams({ return: url })}`;

/** segment is the n-th part of a path, decoded: the slug in "/sessions/abcd2345". */
export function segment(path: string, n: number): string {
  const raw = path.split('/')[n + 1] ?? '';
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}
