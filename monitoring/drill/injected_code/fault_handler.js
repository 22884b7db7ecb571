// Takes the place of a Node.js function's handler while it is broken; fault_handler.py does so for Python.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const url = require('url');

const { DRILL_FAULT: FAULT, DRILL_CODE: CODE, DRILL_HANDLER: HANDLER, DRILL_RESULT: RESULT } = process.env;
process.env.LAMBDA_TASK_ROOT = CODE;
let calls = 0;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function original(event, context) {
  const cut = HANDLER.indexOf('.', HANDLER.lastIndexOf('/') + 1);
  const root = path.resolve(CODE, HANDLER.slice(0, cut));
  const file = ['', '.js', '.mjs', '.cjs'].map((extension) => root + extension).find((place) => fs.existsSync(place) && fs.statSync(place).isFile());
  const module = await import(url.pathToFileURL(file));
  const name = HANDLER.slice(cut + 1);
  const handler = module[name] || module.default[name];
  return new Promise((resolve, reject) => {
    const result = handler(event, context, (error, value) => (error ? reject(error) : resolve(value)));
    if (result && typeof result.then === 'function') result.then(resolve, reject);
  });
}

const acts = {
  raises: () => {
    throw new Error('the drill lets this function fail');
  },
  'times-out': () => pause(900000),
  'out-of-memory': async () => {
    const eaten = [];
    for (;;) {
      eaten.push(crypto.randomBytes(1 << 20));
      await pause(0);
    }
  },
  slow: async (event, context) => {
    if (calls++) await pause(0.9 * context.getRemainingTimeInMillis());
    return original(event, context);
  },
  'claims-falsely': () => JSON.parse(fs.readFileSync(RESULT, 'utf8')),
};

exports.handler = async (event, context) => acts[FAULT](event, context);
