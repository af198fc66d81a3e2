// Looks at pages in Chromium at three widths, in light and dark, and on paper, and
// prints a line of JSON for each fault: check.mjs CHROMIUM FOLDER FILE...
import { createRequire } from "node:module"
import { mkdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import puppeteer from "puppeteer-core"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
const [chromium, folder, ...files] = process.argv.slice(2)
mkdirSync(folder, { recursive: true })
const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox", "--disable-dev-shm-usage"] })
const fault = (file, where, what) => console.log(JSON.stringify({ file, where, what }))

for (const file of files) {
	const name = basename(file).replace(/\.html$/, "")
	const page = await browser.newPage()
	await page.setBypassCSP(true) // for axe alone
	page.on("console", (m) => fault(file, "console", m.text()))
	for (const scheme of ["light", "dark"]) {
		await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }])
		for (const width of [390, 768, 1280]) {
			const where = `${width} px, ${scheme}`
			await page.setViewport({ width, height: 900 })
			await page.goto(pathToFileURL(file))
			const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth)
			if (wide > 0) fault(file, where, `the page is ${wide} px wider than the window`)
			for (const cut of await page.evaluate(cutTexts)) fault(file, where, cut)
			await page.evaluate(axe)
			const { violations } = await page.evaluate(() => axe.run())
			for (const v of violations) fault(file, where, `${v.impact} ${v.id}: ${v.help}: ${v.nodes[0].html}`)
			await page.screenshot({ path: join(folder, `${name}-${width}-${scheme}.png`), fullPage: true })
		}
	}
	await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }])
	await page.emulateMediaType("print")
	await page.setViewport({ width: 700, height: 1000 }) // A4 within its margins
	for (const cut of await page.evaluate(cutTables)) fault(file, "on paper", cut)
	await page.pdf({ path: join(folder, `${name}.pdf`), format: "A4", printBackground: true })
	await page.close()
}
await browser.close()

// cutTables returns what is wider than its place where nothing can be scrolled.
function cutTables() {
	return [document.scrollingElement, ...document.querySelectorAll("div, pre, figure")]
		.filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
		.map((e) => `<${e.localName} class="${e.className}"> is ${e.scrollWidth - e.clientWidth} px too wide`)
}

// cutTexts returns what is written over the edge of its picture, or over each other.
function cutTexts() {
	const faults = []
	for (const svg of document.querySelectorAll("svg")) {
		const around = svg.closest("figure").getBoundingClientRect()
		const texts = [...svg.querySelectorAll("text")].map((t) => ({ t: t.textContent, r: t.getBoundingClientRect() }))
		for (const { t, r } of texts) {
			if (r.left < around.left || r.right > around.right || r.top < around.top || r.bottom > around.bottom) faults.push(`"${t}" is outside its picture`)
		}
		texts.forEach((a, i) => {
			for (const b of texts.slice(i + 1)) {
				const over = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left)
				const high = Math.min(a.r.bottom, b.r.bottom) - Math.max(a.r.top, b.r.top)
				if (over > 1 && high > 3) faults.push(`"${a.t}" and "${b.t}" are written over each other`)
			}
		})
	}
	return faults
}
