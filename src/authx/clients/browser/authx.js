// @ts-check
/**
 * The browser's side of authx: keeps a user logged in, in every tab, without a token that outlives the page.
 *
 * Refresh tokens stay in HttpOnly cookies. Access tokens are in cookies too, or in the memory of this module; no
 * token is ever put into localStorage, sessionStorage or a URL. Needs nothing else, and no secure context.
 *
 * @module authx
 */

/** @typedef {import('./authx').AuthClient} AuthClient */
/** @typedef {import('./authx').AuthClientOptions} Options */
/** @typedef {import('./authx').Session} Session */
/** @typedef {'access' | 'refresh'} Kind */

/**
 * What is known of the session, in this tab and, by messages, in all others.
 *
 * @typedef {object} Held
 * @property {number} at When it was received, in milliseconds: orders what the tabs tell each other.
 * @property {string} [token] The access token, where it travels in a header.
 * @property {number} life How long the access token lasts in all, in milliseconds; 0 if that is not known.
 * @property {Record<Kind, string | undefined>} csrf The values to send with unsafe requests.
 * @property {Session} session What the page gets to see.
 */

/**
 * Why there are no new tokens.
 *
 * @typedef {object} Failure
 * @property {Response} [response] The refusal.
 * @property {unknown} [error] What happened to the request.
 * @property {number} after Milliseconds after which to try again.
 */

/** The settings of the application that serves this file: its router writes them here. @type {Options} */
const served = /* settings */ {}

/** How long a tab that asks the others waits for an answer, in milliseconds. */
const ASK = 80
/** How long the lock is kept after news went out, so that they arrive before the next tab has it. */
const SETTLE = 120

/** A login, logout or question that was refused. */
export class AuthError extends Error {
  /**
   * @param {Response} response
   * @param {{ message?: string, code?: string, action?: string }} body
   */
  constructor({ status }, { message, code, action }) {
    super(message ?? `the server answered ${status}`)
    Object.assign(this, { name: 'AuthError', status, code, action })
  }
}

/** @param {number} ms @param {AbortSignal | null} [signal] @returns {Promise<void>} */
const sleep = (ms, signal) =>
  new Promise((resolve, reject) => {
    const stop = () => reject(signal?.reason)
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop)
    setTimeout(() => (resolve(), signal?.removeEventListener('abort', stop)), ms)
  })

/** @param {Response} response @returns {Promise<any>} The body of a refusal that says what to do; else an empty object. */
const refusal = async (response) =>
  !response.ok && response.headers.get('content-type')?.includes('json')
    ? Object(await response.clone().json().catch(() => 0))
    : {}

/** @param {Response | Promise<Response>} answer @returns {Promise<Response>} An answer that is no refusal. */
const granted = async (answer) => {
  const response = await answer
  if (response.ok) return response
  throw new AuthError(response, await refusal(response))
}

/** @param {unknown} error @returns {Failure} */
const failed = (error) => ({ error, after: 1000 })

/** @param {Response} response @returns {number} Milliseconds (RFC 9110 section 10.2.3); a second if it does not say. */
const retryAfter = (response) => {
  const value = response.headers.get('retry-after') ?? '1'
  const ms = +value * 1000
  return Math.max(0, isNaN(ms) ? Date.parse(value) - Date.now() || 1000 : ms)
}

/** @param {string} [token] @returns {Session['claims']} What a token says; nothing about it is verified. */
const claimsOf = (token) => {
  try {
    const text = atob(/** @type {string} */ (token).split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (letter) => letter.charCodeAt(0))))
  } catch {
    return null
  }
}

/**
 * Do something that no other tab does at the same time.
 *
 * @param {string} name
 * @param {number} lease Milliseconds after which the work cannot be under way any more: its tab was killed.
 * @param {() => Promise<void>} work
 * @param {AbortSignal} [signal] Ends the waiting, not the work.
 * @returns {Promise<void>}
 */
const exclusively = async (name, lease, work, signal) => {
  // There are no locks outside of secure contexts.
  if (navigator.locks) return navigator.locks.request(name, { signal }, work)
  let storage
  try {
    storage = localStorage
  } catch {
    return work() // nor anything else that the tabs share
  }
  const mine = '' + Math.random()
  const owner = () => {
    const [id, until] = (storage[name] ?? '').split(' ')
    return Date.now() < until ? id : ''
  }
  // Of those who write at the same moment the last one has it, and all have written when it looks again.
  while (owner() !== mine) {
    if (!owner()) storage[name] = `${mine} ${Date.now() + lease}`
    await sleep(30 + 30 * Math.random(), signal)
  }
  try {
    await work()
  } finally {
    if (owner() === mine) delete storage[name]
  }
}

/**
 * Make a client. A page needs one; the clients of all tabs of a browser act as one.
 *
 * @param {Options} [options]
 * @returns {AuthClient}
 */
export const createAuthClient = (options) => {
  const {
    base: place = '/auth',
    origins = [],
    paths: { login: loginPath = 'login', refresh: refreshPath = 'refresh', logout: logoutPath = 'logout', logoutAll: allPath = 'logout/all' } = {},
    header = 'Authorization',
    scheme = 'Bearer',
    csrfHeaders = { access: 'X-CSRF-TOKEN', refresh: 'X-CSRF-TOKEN' },
    csrfCookies = { access: 'csrf_access_token', refresh: 'csrf_refresh_token' },
    csrfMethods = ['POST', 'PUT', 'PATCH', 'DELETE'],
    accessCookie = true,
    csrfReadable = false,
    timeout = 10_000,
    maxRetries = 3,
    maxRetryWait = 30_000,
    fetch: transport = (/** @type {Request} */ request) => fetch(request),
  } = { ...served, ...options }
  const page = globalThis.document
  const here = page?.baseURI ?? location.href
  const base = new URL(place.replace(/\/*$/, '/'), here)
  const isOwn = base.origin === location.origin
  const name = `authx:${base}`
  const trusted = [base, ...origins].map((url) => new URL(url).origin)
  const lease = timeout + 5000
  /** @type {Set<Parameters<AuthClient['onChange']>[0]>} */
  const listeners = new Set()
  const life = new AbortController()
  const channel = new BroadcastChannel(name)

  /** `undefined`: not known yet; `null`: logged out. @type {Held | null | undefined} */
  let held
  let endedAt = 0
  let dueAt = 0
  let failures = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  /** @type {Promise<Failure | null> | null} */
  let refreshing = null
  /** Aborted when the session changes, whoever changed it. */
  let news = new AbortController()

  // What is known, here and in the other tabs

  const shown = () => held?.session ?? null

  /** @param {object} message */
  const tell = (message) => life.signal.aborted || channel.postMessage(message)

  /** @param {Held | null} next @param {string} why */
  const become = (next, why) => {
    const isChange = next !== held
    held = next
    failures = 0
    news.abort()
    news = new AbortController()
    // Not all tabs at the same moment: the first one refreshes for all.
    const early = next && Math.min(next.life / 5, 60_000) + Math.random() * Math.min(next.life / 10, 30_000)
    dueAt = (next?.session.expiresAt ?? Infinity) - (early ?? 0)
    arm(dueAt - Date.now())
    // A listener that throws stops neither the others nor us.
    if (isChange) listeners.forEach((listener) => queueMicrotask(() => listener(next && next.session, why)))
  }

  /** @param {string} why @param {number} [at] */
  const end = (why, at = Date.now()) => {
    endedAt = Math.max(endedAt, at)
    become(null, why)
    tell({ at, why })
  }

  /** @param {any} body An answer with tokens. @param {string} why */
  const adopt = (body, why) => {
    const now = Date.now()
    const { access_token: token, expires_in: seconds, refresh_expires_in: rest } = body
    become(
      {
        at: Math.max(now, endedAt + 1, (held?.at ?? 0) + 1),
        token,
        life: seconds * 1000 || 0,
        csrf: { access: body.csrf_token, refresh: body.refresh_csrf_token },
        session: {
          claims: claimsOf(token),
          expiresAt: seconds ? now + seconds * 1000 : null,
          refreshExpiresAt: rest ? now + rest * 1000 : null,
        },
      },
      why,
    )
    tell({ held, why })
  }

  channel.onmessage = ({ data: { at, held: theirs, why } }) => {
    if (theirs) theirs.at > Math.max(endedAt, held?.at ?? 0) && become(theirs, why)
    else if (!at) held && tell({ held, why: 'refresh' })
    else if (at >= (held?.at ?? 0)) {
      endedAt = Math.max(endedAt, at)
      become(null, why)
    }
  }

  // Requests

  /** @param {Kind} kind @returns {string | undefined} What a cookie of this page's own host holds. */
  const cookie = (kind) =>
    isOwn && page ? `; ${page.cookie}`.split(`; ${csrfCookies[kind]}=`)[1]?.split(';')[0] : undefined

  /** @param {Kind} kind */
  const csrf = (kind) => cookie(kind) || held?.csrf[kind]

  /** @param {Headers} headers @param {Kind[]} kinds */
  const prove = (headers, ...kinds) => {
    for (const kind of kinds) {
      const value = csrf(kind)
      if (value) headers.set(csrfHeaders[kind], value)
    }
  }

  /** @param {Headers} headers */
  const carry = (headers) => {
    if (held?.token) headers.set(header, `${scheme} ${held.token}`.trim())
  }

  /** @param {string} path @param {Headers} headers @param {string} [body] */
  const post = (path, headers, body) =>
    transport(
      new Request(new URL(path, base), {
        method: 'POST',
        headers,
        body,
        credentials: 'include',
        // Its cookies are kept even if the page is left before the answer is there.
        keepalive: true,
        signal: AbortSignal.timeout(timeout),
      }),
    )

  // Refreshing

  /** @returns {Promise<Failure | null>} One for all who wait; `null` when they can go on. */
  const refresh = () =>
    (refreshing ??= new Promise((resolve) => {
      const { signal } = news
      const work = async () => {
        // Another tab was faster, or the session is over.
        if (signal.aborted) return
        const failure = await exchange().catch(failed)
        resolve(failure)
        if (!failure) await sleep(SETTLE)
      }
      exclusively(name, lease, work, signal)
        .then(() => null, (error) => (signal.aborted ? null : failed(error)))
        .then(resolve)
    }).finally(() => (refreshing = null)))

  /** @returns {Promise<Failure | null>} */
  const exchange = async () => {
    const headers = new Headers()
    prove(headers, 'refresh')
    const response = await post(refreshPath, headers)
    if (response.ok) {
      adopt(await response.json(), 'refresh')
      return null
    }
    const { action, code } = await refusal(response)
    if (action === 'login' && response.status < 500) end(code)
    return { response, after: retryAfter(response) }
  }

  /** @param {number} wait */
  const arm = (wait) => {
    clearTimeout(timer)
    if (!life.signal.aborted) timer = setTimeout(wake, Math.min(wait, 2 ** 31 - 1))
  }

  /** Refresh if it is time: a timer may be hours late after a sleep. A tab that nobody sees waits until it is seen. */
  const wake = async () => {
    if (!held || page?.hidden) return
    const early = dueAt - Date.now()
    if (early > 0) return arm(early)
    const failure = await refresh()
    if (failure && held) arm(Math.max(failure.after, Math.min(1000 * 2 ** failures++, 30_000)) * (1 + Math.random() / 2))
  }
  for (const event of ['visibilitychange', 'focus', 'online']) addEventListener(event, wake, life)

  /** @returns {Promise<Failure | null>} Find out whether there is a session: from the other tabs, else by a refresh. */
  const know = async () => {
    if (held !== undefined) return null
    if (isOwn && csrfReadable && !cookie('refresh')) {
      become(null, 'none')
      return null
    }
    tell({})
    await sleep(ASK, news.signal).catch(() => 0)
    return held === undefined ? refresh() : null
  }

  // What the page calls

  const session = async () => {
    const failure = await know()
    if (failure && held === undefined) {
      if (failure.response) await granted(failure.response)
      throw failure.error
    }
    return shown()
  }

  /** @param {() => Promise<void>} work @returns {Promise<void>} */
  const alone = (work) =>
    new Promise((resolve, reject) => {
      const all = () => work().then(resolve, reject).then(() => sleep(SETTLE))
      exclusively(name, lease, all).catch(reject)
    })

  /** @type {AuthClient['login']} */
  const login = async (credentials) => {
    await alone(async () => {
      const headers = new Headers({ 'Content-Type': 'application/json' })
      const response = await granted(post(loginPath, headers, JSON.stringify(credentials)))
      adopt(await response.json(), 'login')
    })
    return /** @type {Session} */ (shown())
  }

  const logout = () =>
    alone(async () => {
      const headers = new Headers()
      prove(headers, 'access', 'refresh')
      carry(headers)
      await granted(post(logoutPath, headers))
      end('logout')
    })

  /** @type {AuthClient['logoutAll']} */
  const logoutAll = async ({ keepCurrent } = {}) => {
    const url = new URL(allPath, base)
    if (keepCurrent) url.searchParams.set('keep_current', 'true')
    await granted(authFetch(url, { method: 'POST' }))
    if (!keepCurrent) await alone(async () => end('logout'))
  }

  /** @type {AuthClient['fetch']} */
  const authFetch = async (input, init = {}) => {
    const request = input instanceof Request ? input : null
    const given = new Headers(init.headers ?? request?.headers)
    const url = new URL(request ? request.url : /** @type {string} */ (input), here)
    if (!trusted.includes(url.origin) || given.has(header)) return transport(new Request(input, init))
    const isUnsafe = csrfMethods.includes((init.method ?? request?.method ?? 'GET').toUpperCase())
    // What was read from a stream is gone.
    const isSentOnce = init.body instanceof ReadableStream
    let source = request
    /** @type {string | undefined} */
    let proof

    const send = () => {
      const headers = new Headers(given)
      proof = csrf('access')
      if (isUnsafe) prove(headers, 'access')
      carry(headers)
      const current = source ?? input
      // A body is used up by sending it; a request whose body was used before fails here, as with fetch.
      source &&= source.clone()
      const credentials = request?.credentials ?? 'include'
      return transport(new Request(current, { credentials, ...init, headers }))
    }

    let tries = 0
    let isRepeated = isSentOnce
    let isRefreshed = false
    /** @type {Failure | null} */
    let failure = null
    const renew = async () => {
      isRefreshed = true
      failure = await refresh()
    }

    for (;;) {
      if (!accessCookie && held === undefined) failure = await know()
      const { expiresAt } = held?.session ?? {}
      if (held && expiresAt && !isRefreshed && Date.now() > expiresAt - Math.min(held.life / 10, 2000)) await renew()
      const sent = held
      const response = await send()
      const { action, code } = await refusal(response)
      const isRefused = response.status === 401 && /^(refresh|login)$/.test(action)
      // It may be about tokens that were replaced meanwhile, here or in another tab.
      if (!isRepeated && ((isRefused && held && held !== sent) || (action === 'csrf' && csrf('access') !== proof))) {
        isRepeated = true
        continue
      }
      if (isRefused && action === 'refresh' && !isRefreshed) {
        await renew()
        if (!failure && !isSentOnce) continue
      }
      if (isRefused && failure) {
        if (!failure.response) throw failure.error
        return failure.response.clone()
      }
      if (isRefused && action === 'login' && held === sent) end(code, sent?.at)
      const wait = retryAfter(response)
      if (action !== 'retry' || isSentOnce || tries++ >= maxRetries || wait > maxRetryWait) return response
      await sleep(wait * (1 + Math.random() / 5), init.signal ?? request?.signal)
      isRefreshed = false
      failure = null
    }
  }

  return {
    login,
    logout,
    logoutAll,
    fetch: authFetch,
    session,
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    destroy() {
      life.abort()
      clearTimeout(timer)
      channel.close()
      listeners.clear()
    },
  }
}
