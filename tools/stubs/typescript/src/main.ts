// Calls the gateway with stubs that were generated from its schema.
import assert from 'node:assert/strict';
import { Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ProjectService } from './gen/admingateway/admin/v1/project_pb.js';
import { BadRequestSchema, ErrorInfoSchema } from './gen/google/rpc/error_details_pb.js';

const authorize: Interceptor = (next) => (request) => {
  request.header.set('Authorization', `Bearer ${process.env.AUDITOR}`);
  return next(request);
};
const transport = createConnectTransport({
  baseUrl: process.env.GATEWAY ?? '', // http://host:port
  httpVersion: '1.1',
  interceptors: [authorize],
  defaultTimeoutMs: 10_000,
});
const projects = createClient(ProjectService, transport);

async function refused(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error('the call was not refused');
}

const page = await projects.listProjects({ limit: 3 });
console.log('typescript: ListProjects:', page.data.map((project) => project.name).join(', '));

let error = await refused(projects.createProject({ name: 'mine' }));
let [info] = error.findDetails(ErrorInfoSchema);
console.log('typescript: CreateProject:', Code[error.code], info?.reason, info?.metadata);
assert.equal(info?.reason, 'PERMISSION_DENIED');

error = await refused(projects.getProject({ projectId: '../users' }));
[info] = error.findDetails(ErrorInfoSchema);
const [request] = error.findDetails(BadRequestSchema);
console.log('typescript: GetProject:', Code[error.code], info?.reason, request?.fieldViolations[0]?.field);
assert.equal(info?.reason, 'INVALID_REQUEST');
