// minio-js: streams, multipart, stat, copy, presigned URLs, listing, deleting.
import assert from "node:assert";
import * as Minio from "minio";

const [endpoint, bucket, accessKey, secretKey] = process.argv.slice(2);
const url = new URL(endpoint);
const client = new Minio.Client({
  endPoint: url.hostname, port: Number(url.port), useSSL: url.protocol === "https:",
  accessKey, secretKey, region: "us-east-1", pathStyle: true,
});
const bytes = (size) => Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
const read = async (stream) => Buffer.concat(await stream.toArray());

assert.equal(await client.bucketExists(bucket), true);
const small = bytes(5000);
await client.putObject(bucket, "miniojs/small", small, small.length, { "X-Amz-Meta-Colour": "blue" });
assert.deepEqual(await read(await client.getObject(bucket, "miniojs/small")), small);
const stat = await client.statObject(bucket, "miniojs/small");
assert.equal(stat.size, 5000);
assert.equal(stat.metaData.colour, "blue");
assert.deepEqual(await read(await client.getPartialObject(bucket, "miniojs/small", 7, 93)), small.subarray(7, 100));

const large = bytes(70_000_000);
await client.putObject(bucket, "miniojs/large", large, large.length);
assert.deepEqual(await read(await client.getObject(bucket, "miniojs/large")), large);

await client.copyObject(bucket, "miniojs/copy", `/${bucket}/miniojs/small`, new Minio.CopyConditions());
assert.deepEqual(await read(await client.getObject(bucket, "miniojs/copy")), small);

const link = await client.presignedGetObject(bucket, "miniojs/small", 60);
assert.deepEqual(Buffer.from(await (await fetch(link)).arrayBuffer()), small);

const names = [];
for await (const one of client.listObjectsV2(bucket, "miniojs/", true)) names.push(one.name);
assert.deepEqual(names, ["miniojs/copy", "miniojs/large", "miniojs/small"]);
await client.removeObjects(bucket, names);
await assert.rejects(client.statObject(bucket, "miniojs/small"), (error) => error.code === "NotFound");
console.log("done");
