// Runs a handler of Node.js under Lambda's Runtime API (version 2018-06-01), as AWS's runtime client does.
//
// Sources: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html,
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html (async functions and callbacks),
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html,
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html (Text and JSON).
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const stream = require('stream');
const url = require('url');
const util = require('util');

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const JSON_LOGS = process.env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const LEAST = Math.max(0, LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL || 'TRACE'));
const FRAME = { Text: 0xa55a0003, JSON: 0xa55a0002 };
const EXTENSIONS = ['', '.js', '.mjs', '.cjs'];
let requestId;

// -- the Runtime API

function call(method, target, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, agent, path: `/2018-06-01/runtime/${target}`, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts) }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

function post(target, body, headers = {}) {
  return call('POST', target, body, { 'Content-Length': Buffer.byteLength(body), ...headers });
}

function described(error) {
  if (!(error instanceof Error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack || '').split('\n') };
}

function failed(target, error, type) {
  const body = { ...described(error), ...(type ? { errorType: type } : {}) };
  return post(target, JSON.stringify(body), { 'Lambda-Runtime-Function-Error-Type': body.errorType });
}

// -- the log: a frame for each message, so that one of several lines stays one event

function write(level, message, values) {
  if (LEVELS.indexOf(level) < LEAST) return;
  const now = new Date();
  const text = JSON_LOGS ? jsonLine(now, level, message, values) : `${now.toISOString()}\t${requestId}\t${level}\t${message}`;
  const body = Buffer.from(text + '\n');
  const head = Buffer.alloc(16);
  head.writeUInt32BE(JSON_LOGS ? FRAME.JSON : FRAME.Text, 0);
  head.writeUInt32BE(body.length, 4);
  head.writeBigInt64BE(BigInt(now.getTime()) * 1000n, 8);
  fs.writeSync(Number(process.env._LAMBDA_TELEMETRY_LOG_FD), Buffer.concat([head, body]));
}

function jsonLine(now, level, message, values) {
  const error = values.find((value) => value instanceof Error);
  const { errorType, errorMessage, trace } = error ? described(error) : {};
  const details = error ? { errorType, errorMessage, stackTrace: trace } : {};
  const only = values.length === 1 && typeof values[0] === 'object' && !error ? values[0] : message;
  return JSON.stringify({ timestamp: now.toISOString(), level, requestId, message: only, ...details });
}

function patchConsole() {
  const methods = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', log: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
  for (const [name, level] of Object.entries(methods)) {
    console[name] = (...values) => write(level, util.format(...values), values);
  }
}

// -- the handler

async function load(name) {
  const cut = name.indexOf('.', name.lastIndexOf('/') + 1);
  const [file, names] = [name.slice(0, cut), name.slice(cut + 1).split('.')];
  const root = path.resolve(process.env.LAMBDA_TASK_ROOT, file);
  const place = EXTENSIONS.map((extension) => root + extension).find((each) => fs.existsSync(each) && fs.statSync(each).isFile());
  if (cut < 0 || !place) {
    throw named('Runtime.ImportModuleError', `Cannot find module '${file}'`);
  }
  const module = await imported(place);
  const found = names.reduce((value, key) => value && value[key], module) || names.reduce((value, key) => value && value[key], module.default);
  if (typeof found !== 'function') {
    throw named('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  }
  return found;
}

async function imported(place) {
  try {
    return place.endsWith('.mjs') ? await import(url.pathToFileURL(place)) : require(place);
  } catch (error) {
    if (error.code === 'ERR_REQUIRE_ESM' || (error instanceof SyntaxError && isModule(place))) {
      return import(url.pathToFileURL(place));
    }
    if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND') {
      throw named('Runtime.ImportModuleError', `Error: ${error.message}`);
    }
    throw error instanceof SyntaxError ? named('Runtime.UserCodeSyntaxError', `SyntaxError: ${error.message}`) : error;
  }
}

function isModule(place) {
  for (let folder = path.dirname(place); ; folder = path.dirname(folder)) {
    const file = path.join(folder, 'package.json');
    if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
    if (folder === path.dirname(folder)) return false;
  }
}

function named(name, message) {
  return Object.assign(new Error(message), { name });
}

const STREAMING = Symbol('streaming');
globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [STREAMING]: true }),
  HttpResponseStream: { from: (target) => target },
};

function context(headers, settle) {
  const environment = process.env;
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const done = (error, result) => settle(error, result);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
    done,
    succeed: (result) => done(null, result),
    fail: (error) => done(error || 'handled'),
  };
}

// Resolves with the result; a callback's waits until nothing is left to do, unless the context says otherwise.
function run(handler, event, headers) {
  return new Promise((resolve, reject) => {
    const settle = (error, result) => {
      const end = () => (error === null || error === undefined ? resolve(result) : reject(error));
      process.removeAllListeners('beforeExit');
      if (told.callbackWaitsForEmptyEventLoop) process.once('beforeExit', end);
      else end();
    };
    const told = context(headers, settle);
    process.once('beforeExit', () => resolve(null)); // neither a promise nor a callback: AWS answers null
    const result = handler[STREAMING] ? streamed(handler, event, told) : handler(event, told, settle);
    if (result && typeof result.then === 'function') result.then(resolve, reject);
  });
}

async function streamed(handler, event, told) {
  const parts = [];
  const target = new stream.Writable({
    write(part, _, next) {
      parts.push(Buffer.from(part));
      next();
    },
  });
  target.setContentType = () => {};
  await handler(event, target, told);
  return Buffer.concat(parts).toString();
}

async function invocation(handler) {
  const { headers, body } = await call('GET', 'invocation/next');
  requestId = headers['lambda-runtime-aws-request-id'];
  process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
  try {
    const result = await run(handler, JSON.parse(body), headers);
    const text = JSON.stringify(result === undefined ? null : result);
    await post(`invocation/${requestId}/response`, text === undefined ? 'null' : text);
  } catch (error) {
    write('ERROR', `Invoke Error \t${JSON.stringify(described(error))}`, [error]);
    await failed(`invocation/${requestId}/error`, error);
  }
  process.removeAllListeners('beforeExit');
}

function endOn(event, type) {
  process.on(event, async (error) => {
    write('ERROR', `${type === 'Runtime.UnhandledPromiseRejection' ? 'Unhandled Promise Rejection' : 'Uncaught Exception'} \t${JSON.stringify(described(error))}`, [error]);
    await failed(requestId ? `invocation/${requestId}/error` : 'init/error', error, type);
    process.exit(type ? 128 : 129);
  });
}

async function main() {
  patchConsole();
  endOn('uncaughtException', '');
  endOn('unhandledRejection', 'Runtime.UnhandledPromiseRejection');
  let handler;
  try {
    handler = await load(process.env._HANDLER);
  } catch (error) {
    write('ERROR', `Uncaught Exception \t${JSON.stringify(described(error))}`, [error]);
    await failed('init/error', error);
    process.exit(1);
  }
  for (;;) await invocation(handler);
}

main();
