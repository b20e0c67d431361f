// DuckDB reads what `daybook export` wrote: every query of docs/analysts.md runs, and the
// counts are those that daybook itself gives.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';

const { EXPORT, PAGE, RESTAURANTS, DAYS, RESERVATIONS, REFUSALS, EVENTS_CSV, EVENTS_NDJSON } = process.env;
const db = await (await DuckDBInstance.create(':memory:')).connect();
const rows = async (sql) => (await db.runAndReadAll(sql)).getRowObjectsJson();
const manifest = JSON.parse(readFileSync(`${EXPORT}/manifest.json`, 'utf8'));
// The page's queries name the folder as it is from where they are typed.
const blocks = [...readFileSync(PAGE, 'utf8').matchAll(/^```sql\n([\s\S]*?)^```/gm)].map((m) => m[1].replaceAll("'export/", `'${EXPORT}/`));

test('the first block of the page makes the views', async () => {
  await db.run(blocks[0]);
});

for (const [i, sql] of blocks.slice(1).entries()) {
  test(`query ${i + 1} of the page: ${sql.split('\n')[0]}`, async () => {
    const found = await rows(sql);
    // A query whose comment says that it finds nothing finds nothing; others find something.
    assert.equal(found.length === 0, /^-- Finds nothing/.test(sql), `${found.length} rows of\n${sql}`);
  });
}

test('counts are those of the reporting tables', async () => {
  const count = async (name) => Number((await rows(`SELECT COUNT(*) AS n FROM ${name}`))[0].n);
  assert.deepEqual(
    [await count('restaurants'), await count('days WHERE opened_at IS NOT NULL'), await count('reservations'), await count('refusals')],
    [RESTAURANTS, DAYS, RESERVATIONS, REFUSALS].map(Number),
  );
});

test('counts are those of the manifest, and all is as of one position', async () => {
  const positions = new Set();
  for (const [name, dataset] of Object.entries(manifest.datasets)) {
    positions.add(dataset.position);
    if (dataset.files.length === 0) continue;
    const [{ n }] = await rows(`SELECT COUNT(*) AS n FROM read_parquet('${EXPORT}/${name}/**/*.parquet')`);
    assert.equal(Number(n), dataset.files.reduce((sum, f) => sum + f.rows, 0), name);
  }
  assert.equal(positions.size, 1);
});

test('columns have the types that the manifest says', async () => {
  const types = { text: 'VARCHAR', number: 'BIGINT', flag: 'BOOLEAN', date: 'DATE', timestamp: 'TIMESTAMP WITH TIME ZONE', moment: 'TIMESTAMP WITH TIME ZONE' };
  for (const [name, dataset] of Object.entries(manifest.datasets)) {
    if (dataset.files.length === 0) continue;
    const got = (await rows(`DESCRIBE SELECT * FROM read_parquet('${EXPORT}/${name}/**/*.parquet', hive_partitioning = false)`)).map((c) => [c.column_name, c.column_type]);
    assert.deepEqual(got, dataset.columns.map((c) => [c.name, types[c.type]]), name);
  }
});

test('CSV and NDJSON hold the same events', async () => {
  const [{ n, last }] = await rows('SELECT COUNT(*) AS n, MAX(position) AS last FROM events');
  for (const from of [`read_csv('${EVENTS_CSV}/events/*/*.csv')`, `read_ndjson('${EVENTS_NDJSON}/events/*/*.ndjson', columns = {position: 'BIGINT'})`]) {
    assert.deepEqual(await rows(`SELECT COUNT(*) AS n, MAX(position) AS last FROM ${from}`), [{ n, last }]);
  }
});

test('nobody is named', async () => {
  const [{ n }] = await rows(`SELECT COUNT(*) AS n FROM events WHERE data LIKE '%@demo.example%' OR metadata LIKE '%@%'`);
  assert.equal(Number(n), 0);
});
