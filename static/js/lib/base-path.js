// The path below which a proxy shows Tempo, "" where it has a site of its own (PYSCHED_BASE_PATH).

/** One of Tempo's addresses, such as `/runs/5/`, as this page's server takes it. */
export function address(path) {
  return `${document.documentElement.dataset.basePath ?? ""}${path}`;
}
