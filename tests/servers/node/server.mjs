// An oidc-provider on loopback HTTPS. Arguments: the settings file, the folder with node_modules.
// It prints one line of JSON when it listens, notes token requests in settings.log, and ends with its stdin.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , settingsFile, modules] = process.argv;
const settings = JSON.parse(readFileSync(settingsFile, 'utf8'));
const { resolve } = createRequire(join(modules, 'here.js'));
const load = (name) => import(pathToFileURL(resolve(name)).href);
const { default: Provider, errors } = await load('oidc-provider');
const grants = await load('oidc-provider/lib/helpers/grants.js');
const { createLocalJWKSet, jwtVerify } = await load('jose');

const server = createServer({
  key: readFileSync(settings.key),
  cert: readFileSync(settings.cert),
  ca: readFileSync(settings.ca),
  requestCert: true, // asked of everybody, wanted of tls_client_auth alone
  rejectUnauthorized: false,
});
await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
const issuer = `https://127.0.0.1:${server.address().port}`;

function resourceServer(_ctx, resource) {
  const url = new URL(resource);
  if (url.hostname !== 'api.example.com') throw new errors.InvalidTarget();
  const alg = url.pathname.slice(1); // https://api.example.com/ES256 gives JWTs signed by it
  return {
    scope: 'read write',
    audience: resource,
    accessTokenFormat: alg ? 'jwt' : 'opaque',
    ...(alg && { jwt: { sign: { alg } } }),
  };
}

const extras = new WeakMap(); // what a grant of ours wants said of its token

const provider = new Provider(issuer, {
  clients: settings.clients,
  jwks: settings.jwks,
  cookies: { keys: ['scratch-cookie-key'] },
  scopes: ['openid', 'offline_access', 'email', 'profile', 'read', 'write'],
  claims: { openid: ['sub'], email: ['email'], profile: ['name'] },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, name: `Somebody called ${id}` }),
  }),
  routes: settings.routes ?? {},
  clientAuthMethods: [
    'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
    'tls_client_auth', 'self_signed_tls_client_auth', 'none',
  ],
  ttl: {
    AccessToken: settings.lifetime,
    ClientCredentials: settings.lifetime,
    DeviceCode: settings.deviceCodeLifetime,
  },
  pkce: { required: () => true },
  rotateRefreshToken: () => true,
  extraTokenClaims: (ctx) => extras.get(ctx),
  issueRefreshToken: (_ctx, client, source) => (
    client.grantTypeAllowed('refresh_token') && source.scopes.has('offline_access')
  ),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  enabledJWA: {
    clientAuthSigningAlgValues: [
      'HS256', 'RS256', 'RS512', 'PS256', 'PS512', 'ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA',
    ],
    dPoPSigningAlgValues: ['ES256', 'PS256', 'Ed25519', 'EdDSA'],
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    userinfo: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx, _client, oneOf) => oneOf,
      useGrantedResource: () => true,
      getResourceServerInfo: resourceServer,
    },
    dPoP: {
      enabled: true,
      nonceSecret: Buffer.alloc(32, 7),
      requireNonce: () => settings.dpopNonce,
    },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => ctx.req.socket.getPeerX509Certificate()?.toString(),
      certificateAuthorized: (ctx) => ctx.req.socket.authorized,
      certificateSubjectMatches: (ctx, _property, expected) => (
        ctx.req.socket.getPeerX509Certificate().subjectAltName.split(', ').includes(`DNS:${expected}`)
      ),
    },
  },
});

// The grants that oidc-provider leaves to its users. Each says who the account is; the rest is alike.
async function issue(ctx, gty, accountId, extra, { tokenType, ...reply } = {}) {
  extras.set(ctx, extra);
  const { client, params } = ctx.oidc;
  const proof = await grants.validateDpop(provider, ctx);
  grants.checkDpopRequired(provider, ctx, proof);
  await grants.checkDpopReplay(provider, ctx, proof, client.clientId);
  const scope = params.scope ?? '';
  const grant = new provider.Grant({ accountId, clientId: client.clientId });
  grant.addOIDCScope(scope);
  const [target] = await grants.resolveRequestedResources(provider, ctx);
  if (target) grant.addResourceScope(target.identifier(), scope);
  const token = new provider.AccessToken({
    accountId, client, gty, scope, grantId: await grant.save(),
  });
  if (target) token.resourceServer = target;
  const cert = grants.checkMtlsCert(provider, ctx);
  if (cert) token.setThumbprint('x5t', cert);
  if (proof) token.setThumbprint('jkt', proof.thumbprint);
  const accessToken = await token.save();
  let refreshToken;
  if (await grants.shouldIssueRefreshToken(provider, ctx, token)) {
    const kept = new provider.RefreshToken({
      accountId, client, gty, scope, grantId: token.grantId, resource: params.resource, rotations: 0,
    });
    await grants.applyRefreshTokenBindings(provider, ctx, token, kept);
    refreshToken = await kept.save();
  }
  ctx.body = grants.buildTokenResponse(provider, {
    accessToken, refreshToken, scope, expiresIn: token.expiration,
    tokenType: tokenType ?? token.tokenType, ...reply,
  });
}

const targets = ['resource', 'audience'];

provider.registerGrantType('password', async (ctx) => {
  const { username, password } = ctx.oidc.params;
  if (!password || settings.users[username] !== password) throw new errors.InvalidGrant('wrong user or password');
  await issue(ctx, 'password', username);
}, ['username', 'password', 'scope', ...targets], targets);

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';
provider.registerGrantType(EXCHANGE, async (ctx) => {
  const { params } = ctx.oidc;
  const subject = params.subject_token_type === ACCESS && await provider.AccessToken.find(params.subject_token);
  if (!subject) throw new errors.InvalidRequest('no such subject token');
  const actor = params.actor_token && await provider.AccessToken.find(params.actor_token);
  if (params.actor_token && !actor) throw new errors.InvalidRequest('no such actor token');
  const wanted = params.requested_token_type ?? ACCESS;
  await issue(
    ctx, EXCHANGE, subject.accountId,
    { exchanged_for: params.audience, ...(actor && { act: { sub: actor.accountId } }) },
    { issuedTokenType: wanted, ...(wanted !== ACCESS && { tokenType: 'N_A' }) },
  );
}, [
  'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type',
  'scope', ...targets,
], targets);

const BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const signers = createLocalJWKSet(settings.assertionJwks);
provider.registerGrantType(BEARER, async (ctx) => {
  let claims;
  try {
    ({ payload: claims } = await jwtVerify(ctx.oidc.params.assertion, signers, {
      audience: [issuer, `${issuer}/token`], requiredClaims: ['iss', 'sub', 'exp', 'jti'],
    }));
  } catch (cause) {
    throw new errors.InvalidGrant('the assertion does not hold', undefined, { cause });
  }
  if (!await provider.ReplayDetection.unique(claims.iss, claims.jti, claims.exp)) {
    throw new errors.InvalidGrant('the assertion was used before');
  }
  await issue(ctx, BEARER, claims.sub);
}, ['assertion', 'scope', ...targets], targets);

// Whoever comes is signed in as jdoe and agrees to everything, unless the header x-deny says no. With
// settings.pages, each step has a page with a form, which connects to the client before it redirects.
async function interact(req, res) {
  const { params, prompt, session, grantId } = await provider.interactionDetails(req, res);
  let body = '';
  for await (const chunk of req) body += chunk;
  if (settings.pages && req.method === 'GET') {
    const client = new URL(params.redirect_uri).origin;
    res.setHeader('content-type', 'text/html');
    res.end(`<!doctype html><title>${prompt.name}</title><link rel="preconnect" href="${client}">
      <form method="post"><h1>step ${prompt.name}</h1><button id="yes">Continue</button>
      <button id="no" name="deny" value="1">Decline</button></form>`);
    return;
  }
  let result;
  if (req.headers['x-deny'] || body.includes('deny=1')) {
    result = { error: 'access_denied', error_description: 'the person said no' };
  } else if (prompt.name === 'login') {
    result = { login: { accountId: 'jdoe' } };
  } else {
    const grant = grantId
      ? await provider.Grant.find(grantId)
      : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
    if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
    if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
    for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
      grant.addResourceScope(resource, scopes.join(' '));
    }
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: prompt.name !== 'login' });
}

function note(event, ctx, error) {
  const { client, params, route } = ctx.oidc ?? {};
  appendFileSync(settings.log, `${JSON.stringify({
    event,
    route,
    grant_type: params?.grant_type,
    client_id: client?.clientId,
    client_auth: client?.clientAuthMethod,
    dpop: Boolean(ctx.get('dpop')),
    error: error?.message,
    detail: error && [error.error_description, error.error_detail, error.cause?.message, error.expose ? undefined : error.stack].filter(Boolean).join('; '),
  })}\n`);
}
provider.on('grant.success', (ctx) => note('granted', ctx));
for (const event of [
  'grant.error', 'introspection.error', 'revocation.error', 'userinfo.error', 'authorization.error',
  'pushed_authorization_request.error', 'interaction.error', 'server_error',
]) provider.on(event, (ctx, error) => note(event, ctx, error));

const app = provider.callback();
server.on('request', (req, res) => {
  if (!req.url.startsWith('/interaction/')) { app(req, res); return; }
  interact(req, res).catch((error) => { res.statusCode = 500; res.end(String(error)); });
});
process.stdin.on('end', () => process.exit(0)).resume();
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
