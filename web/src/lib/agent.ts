const browsers: [RegExp, string][] = [[/\bEdg\w*\//, 'Edge'], [/\bOPR\//, 'Opera'], [/\bFirefox\//, 'Firefox'], [/\b(?:Headless)?Chrom(?:e|ium)\//, 'Chrome'], [/\bSafari\//, 'Safari']];
const systems: [RegExp, string][] = [[/\bAndroid\b/, 'Android'], [/\biPhone|iPad\b/, 'iOS'], [/\bWindows\b/, 'Windows'], [/\bMac OS X\b/, 'macOS'], [/\bCrOS\b/, 'ChromeOS'], [/\bLinux\b/, 'Linux']];

/** browserName is what people call the browser behind a user agent. */
export function browserName(agent: string): string {
  const name = browsers.find(([re]) => re.test(agent))?.[1];
  const system = systems.find(([re]) => re.test(agent))?.[1];
  if (!name) return agent.slice(0, 60) || 'Unknown browser';
  return system ? `${name} on ${system}` : name;
}
